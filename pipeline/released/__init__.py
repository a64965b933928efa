"""A release as anybody can have it: fetched, and held against itself and the chain, without the project's state."""
