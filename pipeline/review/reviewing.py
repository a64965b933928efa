"""``ship review``: a pack recomputed from its bundle and one's own endpoint, and where it differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.errors import Refused
from chains.evm.node import Head, Node
from pipeline.bundle import Bundle, BundleDamaged, BundleMissing, load_bundle
from pipeline.plan import Plan, PlanInvalid, load_plan
from pipeline.review.agreeing import RenderersDisagree
from pipeline.review.comparing import places
from pipeline.review.documents import Documents, Source, make_documents
from pipeline.review.making import block_at
from pipeline.review.observing import account_problems, answer_problems
from pipeline.review.pack import FILES, Pack, pack_list
from pipeline.review.running import ReviewFailed

__all__ = ["PackDiffers", "Review", "review_pack"]


class PackDiffers(Refused):
    """SHIP-Y06: a review pack is not what its plan, bundle and chain give."""

    code = "SHIP-Y06"


@dataclass(frozen=True)
class Difference:
    """``file`` of the pack, ``bundle`` or ``chain``. ``moved``: it comes from the chain having gone on since."""

    file: str
    what: str
    moved: bool = False


@dataclass
class Review:
    """What came of it. ``head`` is the chain's latest block, ``block`` the plan's."""

    pack: Pack
    plan: Plan | None = None
    block: int = 0
    head: int = 0
    differences: list[Difference] = field(default_factory=list)
    recomputed_at: list[int] = field(default_factory=list)

    def differ(self, file: str, *what: str, moved: bool = False) -> None:
        self.differences += [Difference(file, text, moved) for text in what]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/review",
            "agrees": not self.differences,
            "plan": self.plan.digest if self.plan else None,
            "bundle": self.pack.bundle,
            "target": self.pack.target,
            "block": self.block,
            "head": self.head,
            "recomputed_at": list(self.recomputed_at),
            "allow_slots": list(self.pack.allow),
            "differences": [dict(d.__dict__) for d in self.differences],
        }

    def text(self) -> str:
        """For people: every difference by file, or what agrees."""
        if not self.differences:
            assert self.plan
            blocks = " and ".join(f"block {number}" for number in self.recomputed_at)
            return "\n".join(
                [
                    f"the pack agrees: plan {self.plan.digest}",
                    f"  recomputed from bundle {self.pack.bundle} at {blocks}: transactions, state, events, hashes",
                    *(f"  allowed by name, not explained: {slot}" for slot in self.pack.allow),
                ]
            )
        lines = [f"the pack differs in {len(self.differences)} place{'s' if len(self.differences) > 1 else ''}:"]
        for difference in self.differences:
            why = f"  [the chain moved from block {self.block} to {self.head}]" if difference.moved else ""
            lines.append(f"  {difference.file}: {difference.what}{why}")
        return "\n".join(lines)

    def raise_differences(self) -> None:
        if not self.differences:
            return
        first = self.differences[0]
        moved = all(d.moved for d in self.differences)
        raise PackDiffers(
            f"the review pack differs in {len(self.differences)} places, the first in {first.file}: {first.what}",
            remedy=f"All of it comes from the chain having moved since block {self.block}: make the pack again and review that."
            if moved
            else "Sign nothing. Ask whoever made the pack how these came to be, or make it again.",
        )


def review_pack(pack: Pack, source: Callable[[Plan], Source], bundle_path: Path | None = None) -> Review:
    """Recompute the pack. ``source`` gives the chain for the plan, checked to be the plan's.

    Raises ``PlanInvalid``, ``BundleMissing``, ``WrongChain``, ``RpcDown``, and ``ReviewFailed`` where no block works.
    """
    review = Review(pack)
    _digests(review)
    try:
        plan = load_plan(pack.folder / "plan.json")
    except PlanInvalid as error:
        review.differ("plan.json", error.cause)
        return review
    review.plan = plan
    if plan.digest != pack.plan:
        review.differ("plan.json", f"its digest is {plan.digest}, pack.json names {pack.plan}")
    bundle = _bundle(review, plan, bundle_path)
    if bundle is None:
        return review
    try:
        _on_chain(review, plan, bundle, source(plan))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        # A plan has the right fields here; what stands in them was somebody's to write.
        review.differ("plan.json", f"cannot be carried out: {type(error).__name__}: {error}")
    return review


def _digests(review: Review) -> None:
    for name in FILES:
        path = review.pack.folder / name
        if not path.is_file():
            review.differ(name, "is missing")
        elif sha256_hex(path.read_bytes()) != review.pack.files[name]:
            review.differ(name, "does not have the sha256 that pack.json names")


def _bundle(review: Review, plan: Plan, path: Path | None) -> Bundle | None:
    """The bundle named on the command line, else the pack's own copy."""
    if path is not None:
        folder = path.parent if path.name == "bundle.json" else path
        home, digest = folder.parent, folder.name
    else:
        home, digest = review.pack.bundles, plan.bundle
    if digest != plan.bundle:
        review.differ("bundle", f"it is {digest}, the plan was made from {plan.bundle}")
        return None
    try:
        return load_bundle(home, digest)
    except BundleDamaged as error:
        review.differ("bundle", error.cause)
    except BundleMissing as error:
        raise BundleMissing(
            error.cause,
            where=error.where,
            remedy="Name it with --bundle, a folder as `ship build` writes it to .ship/bundles.",
        ) from error
    return None


def _on_chain(review: Review, plan: Plan, bundle: Bundle, source: Source) -> None:
    observed = plan.body.observed
    latest = Node(source.rpc).account(plan.body.deployer)
    review.block, review.head = int(observed["block_number"]), latest[2].number
    there = block_at(source.rpc, review.block)
    if there is None or there.hash != observed["block_hash"]:
        found = "there is none" if there is None else f"it is {there.hash}"
        review.differ("chain", f"block {review.block} is {observed['block_hash']} in the plan, {found} here")
        there = None
    failures = []
    if there is not None:
        try:
            documents = _made(review, plan, bundle, source, there)
            _compare(review, plan, documents, names=[n for n in FILES if n != "plan.json"])
            listed = pretty(pack_list(plan, review.pack.files, documents, review.pack.allow))
            review.differ("pack.json", *places((review.pack.folder / "pack.json").read_bytes(), listed))
            review.differ(
                "plan.json", *account_problems(plan, source.rpc), *answer_problems(plan, source.rpc, review.block)
            )
        except ReviewFailed as error:
            failures.append(error)
    if review.head > review.block or there is None:
        _at_head(review, plan, bundle, source, latest, failures)
    if not review.recomputed_at and failures and not review.differences:
        raise failures[0]


def _made(review: Review, plan: Plan, bundle: Bundle, source: Source, head: Head) -> Documents:
    documents = make_documents(plan, bundle, source, head, review.pack.allow)
    review.recomputed_at.append(head.number)
    return documents


def _compare(
    review: Review, plan: Plan, documents: Documents, *, names: Sequence[str], moved: bool = False, state: bool = True
) -> None:
    """``state``: also what the copy of the chain showed."""
    files = {"plan.json": pretty(plan.to_json()), **documents.files(plan)}
    for name in names:
        path = review.pack.folder / name
        if path.is_file() and (data := path.read_bytes()) != files[name]:
            review.differ(name, *(places(data, files[name]) or ["written in another form"]), moved=moved)
    if not state:
        return
    review.differ("state.json", *(f"unexplained: {slot}" for slot in documents.unexplained), moved=moved)
    review.differ("plan.json", *documents.disagree, moved=False)
    review.differ(
        "chain", *(f"the check {name} does not hold after the plan" for name in documents.failing), moved=moved
    )


def _at_head(
    review: Review,
    plan: Plan,
    bundle: Bundle,
    source: Source,
    latest: tuple[int, int, Head],
    failures: list[ReviewFailed],
) -> None:
    """The same on the latest block: what is different there comes from the chain having moved."""
    nonce, _, head = latest
    if nonce != plan.body.observed["nonce"]:
        review.differ(
            "chain",
            f"the signer's next nonce is {nonce}, the plan begins at {plan.body.observed['nonce']}: it is under way, or stale",
            moved=True,
        )
        return
    try:
        documents = _made(review, plan, bundle, source, head)
    except (ReviewFailed, RenderersDisagree) as error:
        review.differ("chain", error.cause, moved=True)
        if isinstance(error, ReviewFailed):
            failures.append(error)
        return
    if review.block not in review.recomputed_at:
        # What does not come from the chain's state has been held against nothing yet.
        _compare(review, plan, documents, names=["transactions.json", "signing.json"], state=False)
        _compare(review, plan, documents, names=["plan.md"], state=False, moved=True)
    _compare(review, plan, documents, names=["state.json", "events.json"], moved=True)
    review.differ("plan.json", *answer_problems(plan, source.rpc, head.number), moved=True)
