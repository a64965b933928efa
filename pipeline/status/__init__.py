"""``ship status``: what is live where, against this project's bundle and against the chain. Reads only."""
