"""A local Solana cluster of one node: JSON-RPC over HTTP and WebSocket before LiteSVM, the real SVM.

It runs in an environment of its own (``requirements.txt``), because the rest of ``ship`` is held to an older solders,
whose loader lacks what mainnet has. So its modules import each other relatively and nothing else of ``ship``.
See ``docs/adr/0025-local-solana-node.md``.
"""
