"""Going back on Solana: the bytes of an earlier release put in place again, from a buffer that holds them or from the store."""
