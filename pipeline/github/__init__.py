"""GitHub, spoken to with limits: one client, who it is, and the objects a release is made of."""
