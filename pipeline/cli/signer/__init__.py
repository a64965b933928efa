"""Subcommands of ``ship signer``, one module each."""
