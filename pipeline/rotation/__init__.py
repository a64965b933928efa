"""Moving a target's rights from one key to another."""
