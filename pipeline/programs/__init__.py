"""Releases to Solana clusters: the steps of ``pipeline.run`` over programs and instructions."""
