"""Explorers for tests that speak the real ones' protocols and truly recompile what they are given.

``etherscan.py`` (V2, one address for all chains), ``blockscout.py`` and ``sourcify.py`` each answer one protocol; behind them
``desk.py`` works submissions off, with ``matching.py`` (as Etherscan judges) or Sourcify's own library (``worker.js``), against
the code and the creations of a real chain (``indexing.py``). ``serving.py`` is the HTTP in front, where ``faults.py`` gets in
between and every request is noted. ``specimens.py`` has contracts of every kind to verify.

They are no copy of a service: where one is known to be odd, its oddity is here, and said to be one.
"""
