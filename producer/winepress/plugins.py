"""Sub-commands of the other packages, found through the entry points ``winepress.commands``."""

from __future__ import annotations

import argparse
import re
from importlib import metadata

from winepress_shared.errors import WrongUsage

_GROUP = "winepress.commands"
_DISTRIBUTION = "winepress"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")


def load_plugins(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> list[str]:
    """Let every package add its commands; returns a sentence for each that could not."""
    broken = []
    for entry in sorted(metadata.entry_points(group=_GROUP), key=lambda entry: entry.name):
        try:
            entry.load()(subparsers)
        # What is missing on this machine must not take away the commands that work.
        except ImportError as error:
            hint = how_to_install(error)
            broken.append(f"The part {entry.name} cannot be loaded: {error.msg}. {hint}")
        except (AttributeError, OSError) as error:
            broken.append(f"The part {entry.name} cannot be loaded: {error}")
    return broken


def missing_part(error: ImportError) -> WrongUsage:
    """What to tell a user whose command needs a package that is not installed."""
    return WrongUsage(
        f"this command needs a package that is not installed: {error.name or error.msg}",
        hint=how_to_install(error),
    )


def how_to_install(error: ImportError) -> str:
    """Name the extra that brings the missing module."""
    missing = _normal((error.name or "").partition(".")[0])
    extras = {
        match["extra"]
        for requirement in metadata.requires(_DISTRIBUTION) or ()
        if (match := _REQUIREMENT.match(requirement)) and _brings(match["name"], missing)
    }
    names = ",".join(sorted(extras - {"dev"})) or "worker,local"
    return f"Install it with: pip install 'winepress[{names}]'"


def _brings(distribution: str, module: str) -> bool:
    """True when the names agree: optimum-intel brings optimum."""
    name = _normal(distribution)
    return name == module or name.startswith(f"{module}-")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
