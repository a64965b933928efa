"""What happened on each target: from journals and records, no chain asked."""
