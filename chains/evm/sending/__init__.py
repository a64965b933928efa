"""Parts of the sending engine; ``chains.evm.sender`` drives them."""
