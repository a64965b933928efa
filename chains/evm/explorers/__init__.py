"""Publishing sources where people look: Etherscan and its dialects, Blockscout, Sourcify."""
