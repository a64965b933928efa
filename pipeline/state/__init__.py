"""Where a project's journals, plans and records are kept."""
