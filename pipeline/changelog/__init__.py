"""The changelog, in the form of Keep a Changelog: read, checked, cut, and written from commits."""
