"""The review pack: what a signer needs to say yes, and the same again on another machine."""
