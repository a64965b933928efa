"""The embedded local chain between commands: kept running, stopped, or begun anew."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Refused
from chains.evm import localnet as anvil
from chains.solana import localnet as cluster
from chains.tools import find_tool
from pipeline.lock import locked
from pipeline.manifest.project import load_project
from pipeline.manifest.target import Target, load_target
from pipeline.reaching import is_embedded
from pipeline.state.local import ProjectState, TargetState

__all__ = ["Net", "NotEmbedded", "reset_localnet", "running_localnet", "start_localnet", "stop_localnet"]

Net = anvil.Localnet | cluster.SolanaLocalnet


class NotEmbedded(Refused):
    """SHIP-L12: the target is not an embedded local chain."""

    code = "SHIP-L12"


def _open(root: Path, name: str) -> tuple[Target, TargetState]:
    project = load_project(root)
    target = load_target(project, name)
    if not is_embedded(target):
        raise NotEmbedded(
            f"{name} is not a chain that ship runs itself", remedy="Name a local target without [rpc] endpoints."
        )
    return target, ProjectState(project.root).target(name)


def _running(folder: Path) -> Net | None:
    """What runs in the folder. Which family it is of is asked of the folder: the manifest can have changed since."""
    return anvil.running(folder, None) or cluster.running(folder)


def start_localnet(root: Path, name: str) -> Net:
    """Start it unless it runs."""
    target, state = _open(root, name)
    with locked(state.lock, "ship localnet up"):
        net: Net
        if target.chain.kind == "solana":
            net = cluster.start(state.localnet, root)
        else:
            net = anvil.start(state.localnet, find_tool("anvil", root), chain_id=target.chain.chain_id or 0)
        state.localnet_kept.touch()
        return net


def running_localnet(root: Path, name: str) -> Net | None:
    """The chain if it runs; nothing is started or stopped."""
    return _running(_open(root, name)[1].localnet)


def stop_localnet(root: Path, name: str) -> bool:
    """Stop it; whether it ran. What is wrong in the manifests does not matter to a chain that was started."""
    started = {folder.name for folder in (ProjectState(root).work / "localnet").glob("*")}
    state = ProjectState(root).target(name) if name in started else _open(root, name)[1]
    with locked(state.lock, "ship localnet down"):
        return _stop(state)


def _stop(state: TargetState) -> bool:
    net = _running(state.localnet)
    state.localnet_kept.unlink(missing_ok=True)
    if isinstance(net, cluster.SolanaLocalnet):
        cluster.stop(net)
    elif net:
        anvil.stop(net)
    return net is not None


def reset_localnet(root: Path, name: str) -> Path | None:
    """Stop it and move chain state, journal, plans and records of this target into ``.ship/archive/<n>/``."""
    _, state = _open(root, name)
    with locked(state.lock, "ship localnet reset"):
        _stop(state)
        moved = [path for path in (state.localnet, state.folder) if path.exists()]
        records = sorted(state.project.releases.glob(f"*/{name}.*json"))
        if not moved and not records:
            return None
        archive = state.project.work / "archive"
        archive.mkdir(parents=True, exist_ok=True)
        aside = archive / f"{name}-{len(list(archive.iterdir())) + 1}"
        aside.mkdir()
        for path in moved:
            path.rename(aside / ("localnet" if path == state.localnet else "deployments"))
        for record in records:
            place = aside / "releases" / record.parent.name
            place.mkdir(parents=True, exist_ok=True)
            record.rename(place / record.name)
        return aside
