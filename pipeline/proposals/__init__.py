"""Proposals to the owners of Safes: made, signed, exported, collected, executed."""
