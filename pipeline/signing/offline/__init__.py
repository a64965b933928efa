"""Signing on a machine without a network: a request goes there as one file, the signed transactions come back as another."""
