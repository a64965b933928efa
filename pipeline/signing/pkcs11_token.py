"""A PKCS#11 token: its library loaded, the token found, and logged in to once a run.

The login belongs to the process (PKCS#11 2.40, §5.6), so what is open and which PIN was wrong is kept here for all
targets of a run: a second login would be refused, and a second wrong PIN brings the token closer to locking itself.
"""

from __future__ import annotations

import ctypes
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chains.errors import printable
from pipeline.signing.bounded import TooLate, within
from pipeline.signing.context import SignerContext, SignerNoAnswer

if TYPE_CHECKING:
    from pkcs11 import Session, Token

__all__ = ["CALL_S", "Pkcs11Token", "in_time", "open_token", "refusals"]

T = TypeVar("T")

CALL_S = 20.0
"""The longest any call to a token may take."""

_lock = threading.RLock()
_sessions: dict[tuple[str, bytes], Session] = {}
_wrong: set[tuple[str, bytes]] = set()
_libraries: dict[str, Any] = {}


def _keep_for_ever(library: Any) -> None:
    """Never give the library back: its end would call C_Finalize."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))


def _in_child() -> None:
    """A forked process has no sessions (PKCS#11 2.40, §5.4), and must not end its parent's."""
    for library in _libraries.values():
        _keep_for_ever(library)
    _libraries.clear()
    _sessions.clear()


os.register_at_fork(after_in_child=_in_child)


@dataclass(frozen=True)
class Pkcs11Token:
    """A token that is present. ``software`` when it says itself that it is no hardware."""

    context: SignerContext
    token: Token
    library: Any

    @property
    def software(self) -> bool:
        return "softhsm" in f"{self.token.manufacturer_id} {self.token.model}".lower()

    @property
    def title(self) -> str:
        made = printable(f"{self.token.manufacturer_id} {self.token.model}".strip(), 60)
        return f"the token {self.context.spec.token_label} ({made})"

    def public_session(self) -> Session:
        """A read-only session that is not logged in (unless the run already is)."""
        return in_time(self, self.token.open)

    def session(self) -> Session:
        """The run's read-only session, logged in. Raises ``SignerUnavailable``; a wrong PIN is tried once."""
        key = (str(self.library.so), bytes(self.token.serial))
        with _lock:
            if key in _wrong:
                raise self.context.unavailable(
                    f"the PIN of {self.title} was wrong before in this run, and is not tried again", "pin", _PIN_REMEDY
                )
            if key not in _sessions:
                _sessions[key] = self._login(key)
            return _sessions[key]

    def _login(self, key: tuple[str, bytes]) -> Session:
        from pkcs11 import TokenFlag, exceptions

        if self.token.flags & TokenFlag.USER_PIN_LOCKED:
            raise self.context.unavailable(
                f"{self.title} has locked its PIN", "pin", "Its security officer can set a new one."
            )
        if self.token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise self.context.unavailable(
                f"{self.title} would lock itself at the next wrong PIN, so none is tried",
                "pin",
                "Log in once with the token's own tool and the right PIN: that sets its counter back.",
            )
        pin = self.context.ask(f"PIN of the token {self.context.spec.token_label}", "pin")
        try:
            return in_time(self, lambda: self.token.open(user_pin=pin))
        except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange):
            _wrong.add(key)
        except (exceptions.PinLocked, exceptions.PinExpired, exceptions.UserPinNotInitialized) as error:
            raise self.context.unavailable(
                f"{self.title} takes no PIN now ({type(error).__name__})",
                "pin",
                "Its security officer can set a new one.",
            ) from None
        except exceptions.PKCS11Error as error:
            raise self.context.unavailable(
                f"{self.title} refuses the login: {type(error).__name__}",
                "token-label",
                "See what the token's own tool says.",
            ) from None
        raise self.context.unavailable(f"the PIN of {self.title} is wrong{self._tries_left()}", "pin", _PIN_REMEDY)

    def _tries_left(self) -> str:
        from pkcs11 import TokenFlag

        with refusals(self, "to say how its PIN stands"):
            flags = in_time(self, self.token.slot.get_token).flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            return "; the token is locked now"
        if flags & TokenFlag.USER_PIN_FINAL_TRY:
            return "; one try may be left before the token locks itself"
        if flags & TokenFlag.USER_PIN_COUNT_LOW:
            return "; the token counts wrong tries, and says neither that one is left nor that it is locked"
        return ""


_PIN_REMEDY = "Correct the PIN, then run again. It was given to the token once, and nothing was signed."


def in_time(token: Pkcs11Token, call: Callable[[], T]) -> T:
    """``call``, in time; what a lost token answers becomes ``SignerNoAnswer``, other errors pass."""
    from pkcs11 import exceptions

    lost = (
        exceptions.DeviceError,
        exceptions.DeviceMemory,
        exceptions.DeviceRemoved,
        exceptions.FunctionCancelled,
        exceptions.FunctionFailed,
        exceptions.GeneralError,
        exceptions.HostMemory,
        exceptions.SessionClosed,
        exceptions.SessionCount,
        exceptions.SessionHandleInvalid,
        exceptions.TokenNotPresent,
        exceptions.UserNotLoggedIn,
    )
    try:
        return within(CALL_S, call)
    except TooLate:
        _keep_for_ever(token.library)  # a thread of ours hangs in it
        why = f"no answer within {CALL_S:.0f} s"
    except lost as error:
        why = type(error).__name__
    raise SignerNoAnswer(
        f"{token.title} did not answer: {why}",
        where=token.context.where("module"),
        remedy="See that the token is plugged in and its service runs, then run the same command again.",
    )


@contextmanager
def refusals(token: Pkcs11Token, what: str) -> Iterator[None]:
    """Any other error of the token's, while doing ``what``, is a ``SignerUnavailable``."""
    from pkcs11.exceptions import PKCS11Error

    try:
        yield
    except PKCS11Error as error:
        raise token.context.unavailable(
            f"{token.title} refuses {what}: {type(error).__name__}",
            "key",
            "See what the token's own tool says of the key.",
        ) from None


def open_token(context: SignerContext) -> Pkcs11Token:
    """The library loaded and the token found; no login. Raises ``SignerUnavailable``."""
    from pkcs11.exceptions import PKCS11Error

    path = _module_path(context)
    try:
        library = _load(path)
        with _lock:
            tokens = within(CALL_S, lambda: list(library.get_tokens(token_flags=None)))
    except TooLate:
        raise context.unavailable(f"the library {path} gives no list of its tokens", "module") from None
    except PKCS11Error as error:
        raise context.unavailable(
            f"the library {path} cannot be used: {printable(str(error) or type(error).__name__, 300)}",
            "module",
            "Name the PKCS#11 library of the token's vendor, built for this machine.",
        ) from None
    label = context.spec.token_label
    found = [token for token in tokens if token.label == label]
    if len(found) != 1:
        shown = ", ".join(sorted({printable(token.label, 40) for token in tokens if token.label})) or "none"
        raise context.unavailable(
            f"{len(found) or 'no'} tokens are labelled {label} (present: {shown})",
            "token-label",
            "Name the one token by its label; give each its own.",
        )
    return Pkcs11Token(context, found[0], library)


def _load(path: str) -> Any:
    import pkcs11

    with _lock:
        if path not in _libraries:
            _libraries[path] = within(CALL_S, lambda: pkcs11.lib(path))
        return _libraries[path]


def _module_path(context: SignerContext) -> str:
    """``module``: a file to load code from, so it is not taken from the project or from what others may write."""
    name = context.spec.module or ""
    if name.startswith("env:"):
        variable = name.removeprefix("env:")
        name = os.environ.get(variable, "")
        if not name:
            raise context.unavailable(
                f"the environment variable {variable} is not set", "module", "Set it to the library's absolute path."
            )
    path = Path(name)
    if not path.is_absolute():
        raise context.unavailable(
            "the PKCS#11 library is not an absolute path", "module", "Write its whole path, or env:NAME."
        )
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not allowed"
        raise context.unavailable(
            f"the PKCS#11 library cannot be read: {reason}", "module", f"Is {path} installed?"
        ) from None
    if not stat.S_ISREG(status.st_mode) or status.st_mode & stat.S_IWOTH:
        raise context.unavailable(
            "the PKCS#11 library is not a regular file that only its owner can write", "module", f"chmod o-w {path}"
        )
    return str(path)
