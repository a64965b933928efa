"""Solana: a local cluster, and the upgradeable loader spoken to in our own code."""
