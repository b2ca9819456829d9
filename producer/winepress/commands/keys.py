"""``winepress keys create | list | revoke``: who may use the gateway."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from winepress.client import Client
from winepress.console import Console
from winepress_shared.errors import WrongUsage

if TYPE_CHECKING:
    from winepress.gateway.api_key import ApiKey
    from winepress.gateway.key_store import KeyStore

_SPAN = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_EXAMPLES = """\
examples:
  winepress keys create --user shop --rate 120 --queue 500
  winepress keys create --user ann --models sdxl-turbo,vignette --expires 30d
  winepress keys create --user admin --scopes submit,read-all,operate

Two keys of one user share jobs: to replace a key, create another, put it to use,
and revoke the first.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its actions."""
    keys = subparsers.add_parser(
        "keys",
        help="create, list and revoke keys of the gateway",
        description="Keys of the HTTP gateway, kept in the store as hashes.",
    )
    actions = keys.add_subparsers(dest="action", metavar="ACTION", required=True)
    _register_create(actions)
    _add(actions, "list", "show every key, without its secret", _list)
    revoke = _add(
        actions, "revoke", "end keys for good; gateways refuse them within 10 seconds", _revoke
    )
    revoke.add_argument("keys", nargs="+", metavar="KEY", help="id of a key")


def _register_create(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    create = _add(actions, "create", "create a key, and show it this once", _create)
    create.epilog = _EXAMPLES
    create.formatter_class = argparse.RawDescriptionHelpFormatter
    add = create.add_argument
    add("--user", required=True, metavar="U", help="whose jobs these are; users take turns")
    add(
        "--scopes",
        metavar="S,…",
        help="submit, read-own, read-all, operate; default: submit,read-own",
    )
    add("--models", metavar="M,…", help="models that may be asked for; default: all")
    add("--rate", type=int, metavar="N", help="most requests in a minute")
    add("--queue", type=int, metavar="N", help="most units that have not ended")
    add(
        "--megapixel-steps",
        type=float,
        metavar="N",
        help="most megapixel-steps in a day (UTC); a picture of 512x512 in 20 steps takes 5.2",
    )
    add("--expires", metavar="TIME", help="30d, 12h, 4w, or YYYY-MM-DD[THH:MM], local time")
    add("--note", default="", metavar="TEXT", help="for the list of keys")


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=run)
    return parser


def _create(arguments: argparse.Namespace) -> int:
    terms = {name: getattr(arguments, name) for name in ("rate", "queue", "megapixel_steps")}
    if arguments.scopes is not None:
        terms["scopes"] = _scopes(arguments.scopes)
    if arguments.expires is not None:
        terms["expires"] = expiry(arguments.expires)
    console = Console(arguments.json)
    with Client.from_env() as client:
        if arguments.models is not None:
            terms["models"] = _models(client, arguments.models)
        key, token = _keys(client).create(arguments.user, note=arguments.note, **terms)
    console.note(f"key {key.id} of {key.user}; it is shown this once:")
    console.result({"key": str(token)} | _told(key), str(token))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from winepress.views.key_table import KeyTable
    from winepress_shared.screen.output import write_table

    console, table = Console(arguments.json), KeyTable()
    with Client.from_env() as client:
        found = sorted(_keys(client).all(), key=lambda key: (key.user, key.created))
    for key in found:
        if arguments.json:
            console.result(_told(key))
        else:
            table.add_key(key)
    if not found:
        console.note("no keys; `winepress keys create --user NAME` makes one")
    elif not arguments.json:
        write_table(sys.stdout, table)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    ids = [_id_of(text) for text in arguments.keys]
    with Client.from_env() as client:
        for key_id in ids:
            key = _keys(client).revoke(key_id)
            console.result(_told(key), f"key {key.id} of {key.user} is revoked")
    return 0


def _keys(client: Client) -> KeyStore:
    from winepress.gateway.key_store import KeyStore

    return KeyStore(client.archive.store)


def _id_of(text: str) -> str:
    """The id of a key, of which the whole may have been pasted; an error shows no secret."""
    from winepress.gateway.api_key import KEY_ID, Token

    token = Token.parse(text)
    found = token.id if token else text.removeprefix("wp_")
    if not re.fullmatch(KEY_ID, found):
        raise WrongUsage(
            "not the id of a key",
            allowed="12 characters, such as 0123456789ab",
            hint="`winepress keys list` shows the ids",
        )
    return found


def _told(key: ApiKey) -> dict[str, Any]:
    values = key.model_dump(mode="json", exclude={"version", "digest"})
    values["scopes"] = sorted(values["scopes"])
    return values | {"state": key.state()}


def _scopes(text: str) -> frozenset[Any]:
    from winepress.gateway.access import Scope

    words = _words(text)
    for word in words:
        if word not in tuple(Scope):
            raise WrongUsage(
                "no such scope", field="--scopes", value=word, allowed=", ".join(Scope)
            )
    return frozenset(map(Scope, words))


def _models(client: Client, text: str) -> frozenset[str]:
    aliases = client.settings.model_aliases
    known = {*client.catalogue.names, *aliases}
    words = _words(text)
    for word in words:
        if word not in known:
            raise WrongUsage(
                "no such model", field="--models", value=word, allowed=", ".join(sorted(known))
            )
    return frozenset(aliases.get(word, word) for word in words)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def expiry(text: str, now: float | None = None) -> float:
    """The Unix time that ``30d`` or a local date means; raises WrongUsage unless it is to come."""
    now = time.time() if now is None else now
    span = _SPAN.fullmatch(text)
    try:
        if span is not None:
            return now + int(span[1]) * _SPANS[span[2]].total_seconds()
        moment = datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment <= now:
        raise WrongUsage(
            "not a time" if moment is None else "must be in the future",
            field="--expires",
            value=text,
            allowed="30d, 12h, 4w, or YYYY-MM-DD[THH:MM]",
        )
    return moment
