"""The machine that holds the key: no project, no network. A request comes in as a file, signed transactions go out as one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chains.errors import Refused, Where
from pipeline.signing.base import EvmBackend, EvmSigner
from pipeline.signing.context import PasswordSource
from pipeline.signing.offline.files import FileRefused, Request, Signed
from pipeline.signing.policy import PlanPolicy

__all__ = ["RequestExpired", "checked", "keystore_key", "sign_request", "signer_file_key"]


class RequestExpired(Refused):
    """SHIP-O03: the fees of a request are too old to sign."""

    code = "SHIP-O03"


class OtherKey(Refused):
    """SHIP-O04: the key at hand is not the one the request is for."""

    code = "SHIP-O04"


def checked(request: Request, path: Path, now: datetime | None = None) -> Request:
    """``request``, if every transaction of it is an action of the plan it holds, within the plan's limits.

    Raises ``FileRefused``, ``PolicyRefused``, ``RequestExpired``. The clock protects nothing: it only keeps fees that have
    gone stale from being signed.
    """
    body = request.plan.body
    actions = {action.id: action for action in body.actions}
    problem = None
    if request.signer.lower() != body.deployer.lower():
        problem = f"it asks {request.signer} to sign a plan made for {body.deployer}"
    elif not request.transactions:
        problem = "it holds no transaction"
    elif len({t.action for t in request.transactions}) != len(request.transactions):
        problem = "it asks for one action twice"
    elif unknown := [t.action for t in request.transactions if t.action not in actions]:
        problem = f"{unknown[0]} is not an action of the plan it holds"
    if problem:
        raise FileRefused(
            f"this request is refused: {problem}",
            where=Where(str(path)),
            remedy="Nothing was signed. Do not use this file; ask whoever made it.",
        )
    policy = PlanPolicy.of(body)
    for requested in request.transactions:
        policy.allow(requested.unsigned, actions[requested.action])
    try:
        expires_at = datetime.fromisoformat(request.expires_at)
        expired = (now or datetime.now(UTC)) > expires_at
    except (ValueError, TypeError) as error:
        raise FileRefused(
            "this request is refused: it does not say until when it may be signed",
            where=Where(str(path)),
            remedy="Make a new one: `ship sign export`.",
        ) from error
    if expired:
        raise RequestExpired(
            f"the request was to be signed until {request.expires_at}: its fees are old by now",
            where=Where(str(path)),
            remedy="Make a new one: `ship sign export --again`. If the clock of this machine is wrong, set it.",
        )
    return request


def sign_request(request: Request, backend: EvmBackend) -> Signed:
    """Sign what ``checked`` let through. Raises ``OtherKey`` and what the backend and the shared path raise."""
    if backend.address.lower() != request.signer.lower():
        raise OtherKey(
            f"the request is for {request.signer}, this key is {backend.address}", remedy="Use the key it is for."
        )
    actions = {action.id: action for action in request.plan.body.actions}
    signer = EvmSigner(backend, PlanPolicy.of(request.plan.body))
    signed = tuple((t.action, signer.sign(t.unsigned, actions[t.action]).raw) for t in request.transactions)
    return Signed(request.sha256, request.signer, signed)


def keystore_key(path: Path, password: PasswordSource) -> EvmBackend:
    """The key in an encrypted keyfile."""
    from pipeline.signing.keystore import open_keystore

    return open_keystore(path, password(path.name))


def signer_file_key(path: Path, request: Request, password: PasswordSource) -> EvmBackend:
    """The key a TOML file with a ``[signer]`` table names, as in a target. Its address has to be the request's."""
    from pipeline.signing.opening import open_backend
    from pipeline.signing.standalone import standalone_target

    chain = request.plan.body.chain
    target = standalone_target(path, chain["name"], chain["id"], request.signer)
    if target.spec.signer and target.spec.signer.backend in {"offline", "remote"}:
        raise OtherKey(
            f"the {target.spec.signer.backend} backend is none for a machine without a network",
            where=target.layers.where(("signer", "backend")),
            remedy="Use keystore or pkcs11 there.",
        )
    return open_backend(target, path.resolve().parent, password)
