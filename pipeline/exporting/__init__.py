"""``ship export``: what is live where, in the forms other programs read. Everything comes from the release records."""
