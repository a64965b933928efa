"""Versions: which one a build needs, what it is held against, and the files that say it."""
