"""One key pair on a token, named by label or id: which objects it is, what its flags say, which public key it has.

Attributes as in PKCS#11 2.40 §4.4–4.9 and 3.0 §2.3.5–2.3.6 (Edwards curves).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chains.errors import printable
from pipeline.signing.context import SignerContext

if TYPE_CHECKING:
    from pkcs11 import Session

__all__ = ["Flags", "Kind", "decode_point", "find_private", "find_public", "flags_of"]

Kind = Literal["secp256k1", "ed25519"]

_CURVES: dict[str, frozenset[bytes]] = {
    "secp256k1": frozenset({bytes.fromhex("06052b8104000a")}),
    "ed25519": frozenset(
        {
            bytes.fromhex("06032b6570"),  # id-Ed25519 (RFC 8410)
            b"\x13\x0cedwards25519",  # curve name (PKCS#11 3.0)
            b"\x13\x07Ed25519",  # as some libraries write it
            bytes.fromhex("06092b06010401da470f01"),  # the private OID in use before RFC 8410
        }
    ),
}


@dataclass(frozen=True)
class Flags:
    """What the token says of a private key. ``None``: it does not say."""

    sign: bool | None
    sensitive: bool | None
    extractable: bool | None
    always_authenticate: bool | None


def find_private(context: SignerContext, session: Session, kind: Kind) -> Any:
    """The one private key of this kind and name. Raises ``SignerUnavailable``."""
    from pkcs11 import ObjectClass

    return _one(context, _objects(context, session, ObjectClass.PRIVATE_KEY, kind), "private", kind)


def find_public(context: SignerContext, session: Session, kind: Kind, key_id: bytes | None = None) -> bytes:
    """The public key of this kind and name, and of ``key_id`` if given: 64 bytes x ‖ y, or 32."""
    from pkcs11 import Attribute, ObjectClass

    objects = _objects(context, session, ObjectClass.PUBLIC_KEY, kind)
    if key_id:
        objects = [o for o in objects if _attribute(o, Attribute.ID) == key_id]
    public = _one(context, objects, "public", kind)
    params, point = _attribute(public, Attribute.EC_PARAMS), _attribute(public, Attribute.EC_POINT)
    if params not in _CURVES[kind]:
        raise context.unavailable(
            f"the key {_shown(context)} is on another curve than {kind}", "key", f"Name or make a {kind} key."
        )
    try:
        return decode_point(point or b"", kind)
    except ValueError as error:
        raise context.unavailable(f"the public key {_shown(context)} cannot be read: {error}", "key") from None


def flags_of(private: Any) -> Flags:
    from pkcs11 import Attribute

    return Flags(
        _attribute(private, Attribute.SIGN),
        _attribute(private, Attribute.SENSITIVE),
        _attribute(private, Attribute.EXTRACTABLE),
        _attribute(private, Attribute.ALWAYS_AUTHENTICATE),
    )


def decode_point(value: bytes, kind: Kind) -> bytes:
    """CKA_EC_POINT: DER OCTET STRING as specified, or the bare point as some libraries give it. Raises ``ValueError``."""
    length = 65 if kind == "secp256k1" else 32
    point = value[2:] if len(value) == length + 2 and value[:2] == bytes([4, length]) else value
    if len(point) != length:
        raise ValueError(f"its point has {len(value)} bytes")
    if kind == "ed25519":
        return point
    from coincurve import PublicKey

    if point[0] != 4:
        raise ValueError("its point is not in the uncompressed form")
    return PublicKey(point).format(compressed=False)[1:]  # a ValueError for what is not on the curve


def _match(context: SignerContext) -> dict[Any, Any]:
    from pkcs11 import Attribute

    name = context.spec.key or ""
    if not name.startswith("id:"):
        return {Attribute.LABEL: name}
    digits = name.removeprefix("id:")
    if not re.fullmatch(r"([0-9a-fA-F]{2}){1,64}", digits):
        raise context.unavailable(
            "the key's id is not id: and an even number of hex digits", "key", 'Write it as key = "id:0a1b".'
        )
    return {Attribute.ID: bytes.fromhex(digits)}


def _objects(context: SignerContext, session: Session, what: Any, kind: Kind) -> list[Any]:
    from pkcs11 import Attribute, KeyType

    key_type = KeyType.EC if kind == "secp256k1" else KeyType.EC_EDWARDS
    return list(session.get_objects({Attribute.CLASS: what, Attribute.KEY_TYPE: key_type, **_match(context)}))


def _one(context: SignerContext, objects: list[Any], what: str, kind: Kind) -> Any:
    from pkcs11 import Attribute

    if len(objects) == 1:
        return objects[0]
    if not objects:
        raise context.unavailable(
            f"the token shows no {what} {'EC' if kind == 'secp256k1' else 'Edwards'} key {_shown(context)}",
            "key",
            f"Name a {kind} key pair of the token, with both its objects, by label or id:HEX.",
        )
    ids = ", ".join(sorted(f"id:{(_attribute(o, Attribute.ID) or b'').hex()}" for o in objects))
    raise context.unavailable(
        f"{len(objects)} {what} keys of the token are {_shown(context)} ({ids})", "key", "Name the one meant by its id."
    )


def _shown(context: SignerContext) -> str:
    return printable(context.spec.key or "", 80)


def _attribute(item: Any, attribute: Any) -> Any:
    """``None`` where the token has no such attribute or keeps it to itself."""
    from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid

    try:
        return item[attribute]
    except (AttributeTypeInvalid, AttributeSensitive):
        return None
