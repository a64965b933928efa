"""Publishing the sources of what is live: which services, which contracts, what is remembered, what is told."""
