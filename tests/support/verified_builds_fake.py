"""A FAKE of verify.osec.io, built from its published answers: it reads the record from the node, takes the ELF that a repository
and commit "build" to from the test (there is no compiler for programs here), and really hashes what runs on the node.

Source: otter-sec/solana-verified-programs-api, its README and the types of its answers.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from tests.support.explorers.serving import Reply, Request, Service, json_reply, serve
from tests.support.solana_fakes import OTTER_VERIFY
from tests.support.solana_loader import program_data
from tests.support.solana_node import SolanaNode

__all__ = ["VerifiedBuildsFake", "verified_builds_fake"]

_ROUTE = re.compile(r"/(status|job)/([A-Za-z0-9-]+)")


def _strings(data: bytes, count: int, at: int) -> tuple[list[str], int]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found, at


@dataclass
class _Job:
    program: str
    repository: str
    commit: str
    polls_left: int
    executable_hash: str = ""


@dataclass
class VerifiedBuildsFake:
    """Calls are ``submit``, ``job`` and ``status``. ``sources``: ELF by repository and commit. A job takes ``polls`` polls.

    ``lies``: jobs say that they completed while nothing is shown, as after a build that came out different.
    """

    node: SolanaNode
    sources: Mapping[tuple[str, str], bytes]
    polls: int = 1
    lies: bool = False
    jobs: dict[str, _Job] = field(default_factory=dict)

    def read(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Request:
        if method == "POST" and path == "/verify-with-signer":
            return Request("submit", method, path, fields, body)
        found = _ROUTE.fullmatch(path)
        return Request(found[1] if found and method == "GET" else "", method, path, fields, body)

    def too_often(self) -> Reply:
        return Reply(429, b"Too Many Requests! Wait for 30s", "text/plain")

    def in_queue(self) -> Reply:
        return json_reply(
            {"status": "in_progress", "request_id": "0", "message": "Build verification already in progress"}
        )

    def handle(self, request: Request) -> Reply:
        name = request.path.rpartition("/")[2]
        if request.call == "submit":
            return self._submit(json.loads(request.body))
        if request.call == "job":
            return self._job(name)
        if request.call == "status":
            return self._status(name)
        return json_reply({"status": "error", "error": "not found"}, 404)

    def _submit(self, asked: Mapping[str, Any]) -> Reply:
        seeds = [
            b"otter_verify",
            bytes(Pubkey.from_string(asked["signer"])),
            bytes(Pubkey.from_string(asked["program_id"])),
        ]
        record = self.node.account(Pubkey.find_program_address(seeds, Pubkey.from_string(OTTER_VERIFY))[0])
        if record is None:
            return json_reply({"status": "error", "error": "PDA not found"}, 404)
        (_, repository, commit), _ = _strings(record["data"], 3, 72)
        for key, job in self.jobs.items():
            if (job.program, job.repository, job.commit) == (asked["program_id"], repository, commit):
                message = "Verification already completed." if job.executable_hash else "Build record exists."
                return json_reply({"status": "completed", "request_id": key, "message": message})
        key = f"00000000-0000-4000-8000-{len(self.jobs) + 1:012x}"
        self.jobs[key] = _Job(asked["program_id"], repository, commit, self.polls)
        return json_reply({"status": "in_progress", "request_id": key, "message": "Build verification started"})

    def _job(self, key: str) -> Reply:
        job = self.jobs.get(key)
        answer = {"on_chain_hash": "", "executable_hash": "", "repo_url": ""}
        if job is None:
            return json_reply({"status": "unknown", "message": "Job not found", **answer})
        if job.polls_left > 0:
            job.polls_left -= 1
            return json_reply(
                {"status": "in_progress", "message": "Please wait, the verification is in progress", **answer}
            )
        elf = self.sources.get((job.repository, job.commit))
        if elf is None:
            return json_reply({"status": "failed", "message": "Verification failed", **answer})
        job.executable_hash = sha256(elf.rstrip(b"\0")).hexdigest()
        answer |= {"on_chain_hash": self._on_chain(job.program), "executable_hash": job.executable_hash}
        return json_reply({"status": "completed", "message": "Job completed", **answer})

    def _on_chain(self, program: str) -> str:
        found = self.node.account(program_data(Pubkey.from_string(program)), "confirmed")
        return sha256(found["data"][45:].rstrip(b"\0")).hexdigest() if found else ""

    def _status(self, program: str) -> Reply:
        chain = self._on_chain(program)
        built = [job for job in self.jobs.values() if job.program == program and job.executable_hash]
        job = next((one for one in reversed(built) if one.executable_hash == chain), built[-1] if built else None)
        verified = job is not None and job.executable_hash == chain and not self.lies
        return json_reply(
            {
                "is_verified": verified,
                "message": "On chain program verified" if verified else "On chain program not verified",
                "on_chain_hash": chain,
                "executable_hash": job.executable_hash if job else "",
                "repo_url": f"{job.repository}/tree/{job.commit}" if job else "",
                "commit": job.commit if job else "",
                "last_verified_at": "2026-01-01T00:00:00.000000" if job else None,
                "is_frozen": False,
                "is_closed": False,
            }
        )


@contextmanager
def verified_builds_fake(
    node: SolanaNode, sources: Mapping[tuple[str, str], bytes]
) -> Iterator[tuple[VerifiedBuildsFake, Service]]:
    """On a free loopback port, until the block ends."""
    dialect = VerifiedBuildsFake(node, sources)
    with serve(dialect) as service:
        yield dialect, service
