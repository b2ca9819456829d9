"""The command ``winepress``."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from winepress.commands import COMMANDS
from winepress.console import INTERRUPTED, Console, StillRunning, abandon_output
from winepress.parser import Parser
from winepress.plugins import load_plugins, missing_part
from winepress_shared import __version__
from winepress_shared.errors import WinepressError, WrongUsage
from winepress_shared.service_log import obey_log_flag

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_PIPE_CLOSED = 141  #: as a shell reports SIGPIPE

_EPILOG = """\
exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 farm unreachable, 4 refused,
124 the job has not ended within the timeout, 130 interrupted

The settings of the farm come from winepress.toml in this folder or from the file
WINEPRESS_CONFIG, and from variables such as WINEPRESS_BROKER_URL and WINEPRESS_S3_ENDPOINT.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    obey_log_flag(words)
    console = Console(json_lines="--json" in words)
    try:
        return _run(words)
    except WinepressError as error:
        console.error(error)
        return error.exit_code
    except ImportError as error:
        console.error(missing_part(error))
        return WrongUsage.exit_code
    except TimeoutError as error:
        console.error(StillRunning(str(error), hint="The job continues"))
        return StillRunning.exit_code
    except KeyboardInterrupt:
        console.note("winepress: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        abandon_output()
        return _PIPE_CLOSED
    except OSError as error:
        if error.errno not in _CANNOT_WRITE or error.filename is not None:
            raise
        abandon_output()
        console.error(WrongUsage(f"cannot write the result: {error.strerror}"))
        return WrongUsage.exit_code


def _run(words: list[str]) -> int:
    arguments = parse(words)
    result: int = arguments.run(arguments)
    return result


def parse(words: Sequence[str]) -> argparse.Namespace:
    """What the words of one command mean; raises WrongUsage. Its ``run`` takes it and does it."""
    parser: argparse.ArgumentParser = Parser(
        prog="winepress",
        description="Generate pictures on a farm of Intel machines.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"winepress {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for register in COMMANDS:
        register(subparsers)
    broken: list[str] = []
    if not words or words[0] not in subparsers.choices:
        # Finding the commands of other packages takes time, so it is done only when needed.
        broken = load_plugins(subparsers)
    try:
        return parser.parse_args(words)
    except WrongUsage as error:
        if broken and words and words[0] not in subparsers.choices:
            error.hint = "; ".join(broken)
        raise
