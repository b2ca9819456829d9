"""Sub-commands of other packages, found through the entry points ``winepress.commands``."""

from __future__ import annotations

import argparse
import re
from importlib import metadata

from winepress_shared.errors import WrongUsage

_GROUP = "winepress.commands"
_DISTRIBUTION = "winepress"
#: Entry point → the extra that installs it, and its commands.
_PARTS = {
    "worker": ("worker", ("worker",)),
    "models": ("worker", ("models", "devices")),
    "farm": ("local", ("up", "down", "demo", "flower", "roles")),
}
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")


def load_plugins(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> list[str]:
    """Let every package add its commands; returns a sentence for each package that cannot."""
    broken = []
    entries = sorted(metadata.entry_points(group=_GROUP), key=lambda entry: entry.name)
    for name in sorted(_PARTS.keys() - {entry.name for entry in entries}):
        _add_absent(subparsers, *_PARTS[name])
    for entry in entries:
        try:
            entry.load()(subparsers)
        # A missing package must not take away the commands that work.
        except ImportError as error:
            hint = how_to_install(error)
            broken.append(f"The commands of {entry.name} cannot be loaded: {error.msg}. {hint}")
        except (AttributeError, OSError) as error:
            broken.append(f"The commands of {entry.name} cannot be loaded: {error}")
    return broken


def _add_absent(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    extra: str,
    words: tuple[str, ...],
) -> None:
    """Add commands that are not installed, which tell how to install them."""

    def refuse(arguments: argparse.Namespace) -> int:
        raise WrongUsage(
            "this command is not installed", value=arguments.command, hint=_install(extra)
        )

    for word in words:
        # It has no flags, not even --help: every argument gets the same answer.
        absent = subparsers.add_parser(
            word, help=f"comes with winepress[{extra}]", add_help=False, prefix_chars="\0"
        )
        absent.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
        absent.set_defaults(run=refuse)


def missing_part(error: ImportError) -> WrongUsage:
    """The error for a command that needs a package that is not installed."""
    return WrongUsage(
        f"this command needs a package that is not installed: {error.name or error.msg}",
        hint=how_to_install(error),
    )


def how_to_install(error: ImportError) -> str:
    """How to install the extra that brings the missing module."""
    missing = _normal((error.name or "").partition(".")[0])
    extras = {
        match["extra"]
        for requirement in metadata.requires(_DISTRIBUTION) or ()
        if (match := _REQUIREMENT.match(requirement)) and _brings(match["name"], missing)
    }
    names = ",".join(sorted(extras - {"dev"})) or "worker,local"
    return _install(names)


def _install(extras: str) -> str:
    return f"Install it with: pip install 'winepress[{extras}]'"


def _brings(distribution: str, module: str) -> bool:
    """True when a distribution brings a module: optimum-intel brings optimum."""
    name = _normal(distribution)
    return name == module or name.startswith(f"{module}-")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
