"""How each kind of chain is planned for, sent to and observed. Never imports ``pipeline`` (design law 9)."""
