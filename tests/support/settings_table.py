"""The table of docs/settings.md; ``python -m support.settings_table`` in ``tests/`` writes it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from winepress_shared.ledger import ledger
from winepress_shared.settings import Limits, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
_TABLE = re.compile(r"^\| setting \|.*?(?=^(?!\|)|\Z)", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"    ([a-z]\w*):")
_COMMENT = re.compile(r"#: (.*)")
_LIMIT = re.compile(r"([a-z_]+) = (\d+)")
#: What a validator of `Settings` allows.
_CHECKED = {
    "_redis_only": "an address that begins with `redis://`, `rediss://`, `redis+sentinel://` or "
    "`rediss+sentinel://`",
    "_http_only": "an address that begins with `http://` or `https://`",
    "_certificates": "a file in PEM format",
    "_hosts": "names of hosts, addresses and networks",
    "_absolute": "a path",
}


def table() -> str:
    """One row for each setting."""
    fields = [*(set_ for set_ in Settings.model_fields if set_ not in Limits.model_fields)]
    return (
        "| setting | variable | default | allowed | what it is |\n|---|---|---|---|---|\n"
        + "".join(map(_row, [*fields, *Limits.model_fields]))
    )


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    cells = (f"`{name}`", f"`WINEPRESS_{name.upper()}`", _default(name, field))
    return f"| {' | '.join((*cells, _allowed(name), meanings()[name]))} |\n"


def meanings() -> dict[str, str]:
    """Setting → the comments beside and below it in the code."""
    found: dict[str, list[str]] = {}
    for kind in (Limits, Settings):
        name = ""
        for line in inspect.getsource(kind).splitlines():
            field, comment = _FIELD.match(line), _COMMENT.search(line)
            name = field[1] if field else name
            if comment and name:
                found.setdefault(name, []).append(comment[1])
    return {name: " ".join(lines).replace("``", "`") for name, lines in found.items()}


def _default(name: str, field: FieldInfo) -> str:
    if name in Limits.model_fields:
        return f"{int(broker_limits()[name]):,}"
    if name == "home":
        return "`~/.cache/winepress`"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ({}, ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def broker_limits() -> dict[str, str]:
    """The limits of a farm whose operator has set none, as the ledger's scripts have them."""
    folder = Path(ledger.__file__).with_name("lua") / "prelude"
    keys = (folder / "1-keys.lua").read_text("utf-8")
    return dict(_LIMIT.findall(keys.partition("local LIMITS = {")[2].partition("}")[0]))


def _allowed(name: str) -> str:
    for one in Settings.__pydantic_decorators__.field_validators.values():
        if name in one.info.fields and (words := _CHECKED.get(one.func.__name__)):
            return words
    known: dict[str, Any] = Settings.model_json_schema()["properties"][name]
    known = next(iter(known.get("anyOf", [known])))
    if "pattern" in known:
        return f"`{known['pattern'].strip('^$')}`"
    if "maximum" in known:
        more = "more than " if "exclusiveMinimum" in known else ""
        least = known.get("exclusiveMinimum", known.get("minimum"))
        return f"{more}{least:g} to {known['maximum']:,.0f}"
    if "enum" in known:
        return ", ".join(f"`{one}`" for one in known["enum"])
    kinds = {"boolean": "`true`, `false`", "object": "a table", "array": "a list"}
    return kinds.get(str(known["type"]), "text")


def written_table() -> str:
    """That of the page."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    return found[0] if found else ""


if __name__ == "__main__":
    PAGE.write_text(_TABLE.sub(lambda _: table(), PAGE.read_text("utf-8")), "utf-8")
