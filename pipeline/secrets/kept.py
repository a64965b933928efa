"""What one run has of its stores: each opened once, each secret fetched once, however many targets ask for it."""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from pathlib import Path

from pipeline.manifest.secrets import Secret
from pipeline.secrets.base import Vaulted, field_of, tidied

__all__ = ["KEPT", "Kept"]

_MODULES = {
    "vault:": "vault",
    "aws-sm:": "aws",
    "aws-ssm:": "aws",
    "sops:": "sops",
    "age:": "age",
    "keyring:": "system_keyring",
}


@dataclass(frozen=True)
class _Name:
    scheme: str
    root: Path
    name: str


class Kept:
    """Only what was given is kept: a store that did not answer is asked again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: dict[tuple[str, Path], Vaulted] = {}
        self._texts: dict[_Name, Secret] = {}
        self._asking: dict[_Name, threading.Lock] = {}

    def read(self, scheme: str, root: Path, rest: str) -> str:
        """What ``scheme`` and ``rest`` name. Raises ``NotGiven``, ``NoAnswer`` or ``NotInstalled``."""
        store = self._store(scheme, root)
        wanted, field = store.parse(rest)
        name = _Name(scheme, root, wanted)
        with self._lock:
            asking = self._asking.setdefault(name, threading.Lock())
        with asking:  # of those who ask for the same at once, one asks the store
            if name not in self._texts:
                self._texts[name] = Secret(store.fetch(wanted))
            text = self._texts[name].reveal()
        return tidied(text if field is None else field_of(text, field))

    def forget(self) -> None:
        """As at the start of a run."""
        with self._lock:
            self._stores.clear()
            self._texts.clear()
            self._asking.clear()

    def _store(self, scheme: str, root: Path) -> Vaulted:
        with self._lock:
            if (scheme, root) not in self._stores:
                module = importlib.import_module(f"pipeline.secrets.{_MODULES[scheme]}")
                self._stores[scheme, root] = module.open_store(scheme, root)
            return self._stores[scheme, root]


KEPT = Kept()
"""One for the process, as the redactor is: a process of ``ship`` is one run, and all its targets share what it knows."""
