"""``keyring:SERVICE/NAME``: the keyring of the person's machine (Keychain, Secret Service, KWallet), by the library ``keyring``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.secrets.base import NoAnswer, NotGiven, NotInstalled
from pipeline.signing.bounded import TooLate, within
from pipeline.signing.service import quiet

__all__ = ["KeyringStore", "open_store"]

_WAIT_S = 60.0
"""Long enough for a person to unlock it."""


@dataclass(frozen=True)
class KeyringStore:
    """The keyring the library finds, or ``PYTHON_KEYRING_BACKEND`` names."""

    wait_s: float = _WAIT_S

    def parse(self, rest: str) -> tuple[str, None]:
        service, slash, name = rest.rpartition("/")
        if not (slash and service and name):
            raise NotGiven("the reference names no service and name", "Write it as keyring:SERVICE/NAME.")
        return rest, None

    def fetch(self, name: str) -> str:
        try:
            import keyring
            from keyring import errors
        except ImportError:
            raise NotInstalled(
                "the library that reads keyrings is not installed", 'pip install "contract-ship[keyring]"'
            ) from None
        quiet("keyring")
        service, _, user = name.rpartition("/")
        try:
            value = within(self.wait_s, lambda: keyring.get_password(service, user))
        except TooLate:
            raise NoAnswer(f"the keyring gave nothing within {self.wait_s:.0f} s; it may wait to be unlocked") from None
        except errors.NoKeyringError:
            raise NotGiven("this machine has no keyring", "Keep the secret elsewhere on machines like this.") from None
        except errors.KeyringLocked:
            raise NotGiven("the keyring is locked", "Unlock it, then run the same command again.") from None
        except (errors.KeyringError, errors.InitError, OSError, RuntimeError, ImportError, AttributeError) as error:
            # A backend is foreign code, and one named wrongly fails as an import: its words are not shown.
            raise NotGiven(f"the keyring cannot be used ({type(error).__name__})", "See `keyring diagnose`.") from None
        if value is None:
            raise NotGiven(
                f"the keyring has no {user} of {service}",
                f"keyring set {service} {user}",
            )
        return value


def open_store(scheme: str, root: Path) -> KeyringStore:
    return KeyringStore()
