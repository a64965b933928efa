"""Signers: a backend gives a signature over a digest; everything else is shared and comes first."""
