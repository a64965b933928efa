"""``ship solana``: one module a subcommand."""
