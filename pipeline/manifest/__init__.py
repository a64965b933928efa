"""What a person writes: ``ship.toml`` and ``manifests/<target>.toml``, read, checked and resolved.

Where to look: ``project`` and ``target`` are the ways in; ``spec`` and ``target_spec`` are the shapes; ``reading``,
``positions`` and ``guards`` stand between the file's bytes and those shapes; ``references``, ``units`` and ``resolved``
turn them into what the planner reads.
"""
