"""Safe (formerly Gnosis Safe) as the authority of an action: hashes, signatures, batches, proposals."""
