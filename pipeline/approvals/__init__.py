"""Approvals: named people sign exactly one plan's digest, and a deployment counts their signatures."""
