"""The ``ship`` group: knows every command's name and one-line help without importing it."""

from __future__ import annotations

import importlib

import click

from pipeline import __version__

__all__ = ["COMMANDS", "ship"]

COMMANDS = {
    "init": ("pipeline.cli.init_cmd", "Write ship.toml and manifests for the project in this folder."),
    "check": ("pipeline.cli.check_cmd", "Check ship.toml and every target manifest."),
    "doctor": (
        "pipeline.cli.doctor_cmd",
        "Say which tools, endpoints and keys are ready, and how to get what is missing.",
    ),
    "build": ("pipeline.cli.build_cmd", "Build the release bundle."),
    "test": ("pipeline.cli.test_cmd", "Run the gates on the bundle: tests, Slither."),
    "plan": ("pipeline.cli.plan_cmd", "Show what a deployment would do. Sends nothing."),
    "approve": ("pipeline.cli.approve_cmd", "Approve a saved plan: sign its digest as one of the target's approvers."),
    "review": ("pipeline.cli.review_cmd", "Recompute a review pack on your own machine, and say where it differs."),
    "deploy": ("pipeline.cli.deploy_cmd", "Release to a target: build, gates, plan, sign, deploy, verify, record."),
    "rollback": (
        "pipeline.cli.rollback_cmd",
        "Show what going back to an earlier release would be; go back; rehearse it.",
    ),
    "rpc-signer": (
        "pipeline.cli.rpc_signer_cmd",
        "Release, with forge sending the scripts' transactions and ship signing.",
    ),
    "adopt": ("pipeline.cli.adopt_cmd", "Take over what is on chain already, once it is proven."),
    "export": ("pipeline.cli.export_cmd", "Write address books and Safe batches from the records."),
    "verify": ("pipeline.cli.verify_cmd", "Prove that the chain holds the bytes that were built."),
    "status": ("pipeline.cli.status_cmd", "Say what is live where, and what differs from this project."),
    "version": ("pipeline.cli.version_cmd", "Say which version this build needs, and why."),
    "changelog": ("pipeline.cli.changelog_cmd", "Check the changelog, or cut a version from it."),
    "history": ("pipeline.cli.history_cmd", "List releases, rollbacks, adoptions and rotations, target by target."),
    "diff": ("pipeline.cli.diff_cmd", "Show what differs between two releases: code, interfaces, storage, addresses."),
    "proposals": (
        "pipeline.cli.proposals_cmd",
        "Show what waits for the owners of a Safe, or import their signatures.",
    ),
    "record": ("pipeline.cli.record_cmd", "Show or verify release records."),
    "release": (
        "pipeline.cli.release_cmd",
        "Publish the release on GitHub: tag, draft, assets, digests read back, published last.",
    ),
    "promote": (
        "pipeline.cli.promote_cmd",
        "Put a release candidate's very bytes on other chains, as the final version.",
    ),
    "verify-release": (
        "pipeline.cli.verify_release_cmd",
        "Prove a published release from its files and the chain alone.",
    ),
    "sign": ("pipeline.cli.sign.group", "Sign on a machine without a network: export, sign there, import."),
    "signer": ("pipeline.cli.signer_cmd", "Make an encrypted key; show, test or rotate a target's key."),
    "solana": ("pipeline.cli.solana.group", "List and close a Solana target's buffers; make a program immutable."),
    "state": ("pipeline.cli.state_cmd", "Shared state: pull, push, lock, unlock, check what the bucket holds."),
    "createx": ("pipeline.cli.createx_cmd", "See that CreateX is on a target's chain, for create3 addresses."),
    "localnet": ("pipeline.cli.localnet_cmd", "Keep the embedded local chain running, stop it, or begin anew."),
    "completion": ("pipeline.cli.completion_cmd", "Print the completion script for bash, zsh or fish."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when called; each module has a ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"There is no command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="ship")
def ship() -> None:
    """Release smart contracts: from source to verified, recorded, revertible deployments on many chains.

    Start with `ship init`, look with `ship plan --chain local`, release with `ship deploy --chain local`.

    Exit codes: 0 done · 2 refused, nothing sent · 3 stopped, run again to resume · 4 needs a person · 1 a bug.
    """
