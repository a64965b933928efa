"""EVM chains: Foundry builds, plans by nonce, the transaction state machine, proofs of bytecode."""
