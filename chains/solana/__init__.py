"""Solana: programs of the upgradeable loader, and a local cluster to try them on."""
