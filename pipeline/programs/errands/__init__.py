"""What is done to a Solana target beside a release: keys rotated, programs made immutable, buffers closed. Each is a plan of its own,
approved, guarded, journaled and recorded as a release is."""
