"""State in an S3-compatible bucket: rows by conditional writes, a lease with fencing, files by digest (decision 30)."""
