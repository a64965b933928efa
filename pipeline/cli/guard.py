"""Round every command: errors become messages and exit codes, secrets stay out, bugs leave a trace file."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from types import FrameType

import click

from chains.errors import ShipError

__all__ = ["guarded", "show_error"]

EXIT_BUG = 1
EXIT_STOPPED = 3


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def guarded(command: click.Command) -> int:
    """Run ``command`` with the process's arguments; gives the exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        result = command.main(standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except ShipError as error:
        show_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("\nStopped. What was done is on disk; run the same command again to go on.", file=sys.stderr)
        return EXIT_STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        return _bug()


def show_error(error: ShipError) -> None:
    """What is wrong, where, what was and was not done, and what to do; on stderr."""
    from pipeline.manifest.secrets import redact

    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    problems = getattr(error, "problems", None) or [error]
    lines = []
    for problem in problems:
        head = f"{problem.code}: {problem.cause}"
        lines.append(click.style(head, fg="red", bold=True) if colour else head)
        if problem.where is not None:
            lines.append(f"  at      {problem.where}")
        lines.append(f"  remedy  {problem.remedy}")
    if error.done:
        lines.append(f"  done    {error.done}")
    print(redact("\n".join(lines)), file=sys.stderr)


def _bug() -> int:
    from pipeline.manifest.secrets import redact

    trace = redact(traceback.format_exc())
    descriptor, path = tempfile.mkstemp(prefix="ship-trace-", suffix=".txt")
    with os.fdopen(descriptor, "w") as file:
        file.write(trace)
    last = trace.strip().splitlines()[-1]
    print(
        f"SHIP-BUG: {last}\n  This is a bug of ship's, not of yours. The trace is in {path}.\n"
        "  What was sent is in the journal; the same command is safe to run again.",
        file=sys.stderr,
    )
    return EXIT_BUG
