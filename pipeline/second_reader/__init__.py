"""A second reader of a plan's transactions: it sees their unsigned bytes and the bundle, and shares no code with planning."""
