"""What a run shows: live on a terminal, plain lines in a pipe or CI, nothing on stdout beside JSON."""
