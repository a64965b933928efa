"""Release records: found, shown, and held against the files they were derived from and the chain they speak of."""
