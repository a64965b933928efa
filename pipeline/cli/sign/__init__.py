"""``ship sign``: one module a subcommand."""
