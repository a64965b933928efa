"""Squads v4: an upgrade whose authority is a multisig's vault becomes a proposal to its members."""
