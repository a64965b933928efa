"""The GitHub release: small steps, each of which looks, writes what is missing, and looks again."""
