"""One module a kind of file. Each knows one published format and nothing of chains."""
