"""``winepress batch``: queue many different pictures from one file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winepress.client import Client
from winepress.commands.fetch import show_tables
from winepress.commands.follow import follow_all, interrupted
from winepress.commands.submit import FIELDS, add_picture
from winepress.commands.targets import check_targets
from winepress.commands.when import add_when, start_in, window
from winepress.commands.zoom_flags import given_fields
from winepress.console import Console
from winepress.explanation import counted, duration, estimate_text, times_of
from winepress.handle import JobHandle
from winepress.submit_options import SubmitOptions
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.ledger.records import PRIORITIES
from winepress_shared.regular_file import folder_of, path_of

if TYPE_CHECKING:
    from winepress.bulk.line import Line
    from winepress.bulk.plan import Group, Plan

_KINDS = tuple(name for name, kind in Job.kinds.items() if kind.is_picture)
_EXAMPLES = """\
files:
  items.jsonl   one JSON object per line: our fields, or lines of the OpenAI Batch API
  items.csv     a header with the names of fields, one picture per row
  prompts.txt   a prompt per line, or --prompt a cat --steps 30; # begins a comment

wildcards in prompts and negative prompts:
  {a|b}  {3::a|1::b}  {2$$a|b|c}  {1-2$$ and $$a|b|c}  {2-$$a|b|c}  __list__  {2$$__list__}
  a backslash keeps { } | $ % _ # : as they are; other dynamic-prompts syntax is refused

examples:
  winepress batch items.csv --dry-run
  winepress batch prompts.txt --steps 12 --matrix seed=1-4 --matrix guidance=2,5
  winepress batch --prompt "a {red|green} apple" --all-combinations --out pictures --manifest
  winepress batch items.jsonl --between 22:00-06:00 --max-failed 20
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "batch",
        help="queue many different pictures",
        description="Queue every picture of a file, with one job per model, and print the ids of "
        "the jobs. If one line is invalid, nothing is queued.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", type=path_of, metavar="FILE", help="- is stdin")
    _add_items(parser.add_argument_group("the items"))
    picture = parser.add_argument_group("the pictures; a line of the file overrides these")
    picture.add_argument("--kind", choices=_KINDS)
    add_picture(picture)
    _add_submit_options(parser.add_argument_group("the submission"))
    parser.set_defaults(run=_batch)


def _add_items(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--prompt", metavar="TEXT", help="a prompt instead of a file")
    add(
        "--form", choices=("jsonl", "csv", "prompts"), help="form of the file; default: by its name"
    )
    add(
        "--matrix",
        action="append",
        default=[],
        metavar="FIELD=VALUES",
        help="every item for each value: seed=1-4, steps=10-30:10, guidance=2,5; may be repeated",
    )
    add(
        "--wildcards",
        type=Path,
        metavar="DIR",
        help="folder of the lists for __name__; default: wildcards/",
    )
    add(
        "--all-combinations",
        action="store_true",
        help="every combination of wildcards, not a random one",
    )
    add("--no-wildcards", action="store_true", help="leave braces in prompts as they are")
    add("--pick-seed", type=int, default=0, metavar="S", help="seed of the random choices")
    add(
        "--dry-run", action="store_true", help="check the file and estimate its cost; queue nothing"
    )


def _add_submit_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--priority", choices=tuple(Priority), default=Priority.BULK, help="default: bulk")
    add("--user", metavar="U", help="users take turns; default: the setting user")
    add("--key", metavar="K", help="idempotency key: the same key within a day gives the same jobs")
    add("--max-failed", type=int, metavar="N", help="stop a job after more than N failures")
    add_when(group)
    add("--wait", action="store_true", help="wait until all jobs have ended")
    add("--out", type=Path, metavar="DIR", help="wait, then save the pictures here")
    add("--manifest", action="store_true", help="with --out: manifest.jsonl and manifest.csv")
    add("--contact-sheet", action="store_true", help="with --out: sheets of all pictures")
    add("--json", action="store_true", help="one JSON object per line")


def _batch(arguments: argparse.Namespace) -> int:
    from winepress.bulk.submission import submit_plan

    console = Console(arguments.json)
    _check(arguments)
    with Client.from_env() as client:
        plan = _plan(client, arguments)
        for warning, count in plan.warnings.items():
            console.note(f"winepress: {counted(count, 'picture')}: {warning}")
        submit_options = _submit_options(client, arguments)
        if arguments.dry_run:
            _show_plan(client, console, plan, submit_options)
            return 0
        handles = submit_plan(
            client,
            plan,
            submit_options,
            title=arguments.file.name if arguments.file else "batch",
            max_failed=arguments.max_failed,
        )
        for handle in handles:
            row = handle.status()
            values = {"id": row.id, "state": row.state.value, "lane": row.lane, "units": row.units}
            impossible = client.why_impossible(row.lane)
            console.result(values | {"impossible": impossible}, row.id)
            if impossible and not row.state.is_terminal:
                console.note(f"accepted, but no worker can render it now: {impossible}")
        return _follow(client, console, handles, arguments)


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.file is None) == (arguments.prompt is None):
        raise WrongUsage("give a file or --prompt", hint="See `winepress batch --help`")
    if (arguments.manifest or arguments.contact_sheet) and arguments.out is None:
        raise WrongUsage("--out is required", field="--manifest, --contact-sheet")
    check_targets(arguments)


def _plan(client: Client, arguments: argparse.Namespace) -> Plan:
    from winepress.bulk.matrix import Matrix
    from winepress.bulk.plan import Plan, PlanOptions
    from winepress.bulk.wildcards import Wildcards

    folder = folder_of(arguments.file) if arguments.file else Path()
    defaults = given_fields(arguments, FIELDS)
    for name in ("image", "mask"):
        if name in defaults and not defaults[name].startswith("sha256:"):
            defaults[name] = str(Path(defaults[name]).absolute())
    wildcards = Wildcards(arguments.wildcards or folder / "wildcards")
    options = PlanOptions(
        folder=folder,
        defaults=defaults,
        matrix=Matrix(arguments.matrix),
        wildcards=None if arguments.no_wildcards else wildcards,
        every_combination=arguments.all_combinations,
        pick_seed=arguments.pick_seed,
    )
    plan = Plan(client.catalogue, options)
    plan.add(_lines(arguments))
    plan.check_any()
    return plan


def _lines(arguments: argparse.Namespace) -> Iterable[Line]:
    from winepress.bulk.bulk_file import read_lines
    from winepress.bulk.line import Line

    if arguments.file is None:
        return [Line(1, {"prompt": arguments.prompt})]
    return read_lines(arguments.file, arguments.form)


def _submit_options(client: Client, arguments: argparse.Namespace) -> SubmitOptions:
    return SubmitOptions(
        user=client.settings.user if arguments.user is None else arguments.user,
        idempotency_key=arguments.key,
        expires_in=arguments.expires,
        start_in=start_in(arguments),
        window=window(arguments),
    )


def _show_plan(client: Client, console: Console, plan: Plan, submit_options: SubmitOptions) -> None:
    user_limit = client.farm.limits()["user_queue_limit"]
    for group in plan.groups.values():
        values, text = _price(client, group, submit_options)
        console.result(values, text)
    starts = None if submit_options.start_in is None else time.time() + submit_options.start_in
    for line in times_of(starts, submit_options.window):
        console.note(line)
    console.note(
        f"{counted(plan.count, 'picture')} from {counted(plan.lines, 'line')}, "
        f"{plan.cost:,.1f} megapixel-steps; nothing was queued"
    )
    if plan.count > user_limit:
        console.note(f"this exceeds the limit of one user: {user_limit:.0f} pictures")


def _price(
    client: Client, group: Group, submit_options: SubmitOptions
) -> tuple[dict[str, Any], str]:
    """The cost of the pictures of one lane, their time, and whether a worker can draw them."""
    from winepress.estimate import Work

    count, priority = len(group.items), PRIORITIES.index(group.priority)
    is_held = submit_options.start_in is not None or submit_options.window is not None
    work = Work(str(group.lane), priority, count, group.cost / count, is_held)
    found = client.estimate_new(work, submit_options.user)
    values: dict[str, Any] = {
        "lane": str(group.lane),
        "priority": group.priority.value,
        "pictures": count,
        "megapixel_steps": round(group.cost, 3),
        "seconds": _rounded(found.draws_s),
        "done_in_s": _rounded(found.ends_in_s),
        "pictures_before": found.ahead,
        "limit_s": found.limit_s,
        "impossible": client.why_impossible(str(group.lane)),
    }
    text = f"{group.lane}  {counted(count, 'picture')}, {group.cost:,.1f} megapixel-steps. "
    if found.draws_s is None:
        text += "No pace has been measured yet"
    else:
        text += f"Drawing takes about {duration(found.draws_s)}. {estimate_text(found)}"
    if values["impossible"]:
        text += f"; no worker can render it now: {values['impossible']}"
    return values, text


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _follow(
    client: Client,
    console: Console,
    handles: Sequence[JobHandle],
    arguments: argparse.Namespace,
) -> int:
    """Wait for every job, even after one has failed; raises the first failure at the end."""
    if not arguments.wait and arguments.out is None:
        return 0
    try:
        failed = follow_all(console, handles, arguments.out)
    except KeyboardInterrupt:
        return interrupted(console, handles)
    if arguments.out is not None:
        show_tables(client, console, handles, arguments)
    if failed:
        raise failed
    return 0
