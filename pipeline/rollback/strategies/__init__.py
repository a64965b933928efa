"""How each kind of contract goes back: one module a kind."""
