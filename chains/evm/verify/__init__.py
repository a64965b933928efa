"""Proofs that what runs on chain is what was built."""
