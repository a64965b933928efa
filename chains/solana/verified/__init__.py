"""Verified builds: what a program was built from, on chain, and a service that builds it again."""
