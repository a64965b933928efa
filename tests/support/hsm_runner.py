"""One process that opens a PKCS#11 key and signs, for faults that would stay in the process: ``hsm_runner.py ROOT WHAT``.

Prints a JSON object a line. ``HSM_CALL_S`` shortens the longest call.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from chains.errors import ShipError
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.signing import pkcs11_token
from pipeline.signing.base import checked_signature
from pipeline.signing.context import SignerContext
from pipeline.signing.password import PasswordOptions
from pipeline.signing.pkcs11_backend import open_evm


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def guarded(call: Any) -> Any:
    try:
        return call()
    except ShipError as error:
        say(code=error.code, exit=error.exit_code, cause=error.cause, remedy=error.remedy)
        return None


def main(root: str, what: str) -> None:
    pkcs11_token.CALL_S = float(os.environ.get("HSM_CALL_S", "20"))
    project = load_project(Path(root))
    context = SignerContext(load_target(project, "here"), project.root, PasswordOptions(Path(root) / "secret"))
    key = guarded(lambda: open_evm(context))
    if what == "open-again":
        (Path(root) / "secret").write_text(os.environ["HSM_RIGHT_PIN"] + "\n")
        guarded(lambda: open_evm(context))
    if key is None:
        return
    say(assurance=key.assurance, notes=list(key.notes), address=key.address)
    if what == "fork":
        pid = os.fork()
        if pid == 0:
            guarded(lambda: key.sign_digest(b"\x01" * 32))
            sys.exit(0)  # a whole end, finalizers and all
        os.waitpid(pid, 0)
        say(parent=os.getpid())
    if guarded(lambda: checked_signature(key, b"\x02" * 32)):
        say(signed=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
