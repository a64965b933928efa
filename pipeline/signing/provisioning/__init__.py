"""What ``ship signer policy`` prints: the least a cloud has to allow for a workflow to sign, and nothing applied by us."""
