"""``ship doctor``: what a release from this machine needs, looked at piece by piece. Nothing is changed and no key opened."""
