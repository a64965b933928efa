"""What differs between two releases: from their records and bundles, no chain asked."""
