"""Promotion: a release candidate's very bytes on other chains, as the final version."""
