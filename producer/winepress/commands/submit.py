"""``winepress submit``: queue one job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winepress.client import Client
from winepress.commands.follow import follow_to_end, interrupted
from winepress.commands.targets import check_targets
from winepress.commands.when import add_when, start_in, window
from winepress.commands.zoom_flags import (
    FILM_FIELDS,
    PROMPT_TABLES,
    ZOOM_FIELDS,
    add_film,
    add_zoom,
    given_fields,
    zoom_fields,
)
from winepress.console import Console
from winepress.handle import JobHandle
from winepress.job_files.job_file import read_job_file
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.job import (
    MAX_PROMPT_CHARACTERS,
    Inpaint,
    Job,
    Priority,
    TextToImage,
    parse_job,
)
from winepress_shared.jobs.prompt_table import is_infinite_zoom
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.shortcuts import StepCache
from winepress_shared.lane import Precision
from winepress_shared.regular_file import path_of
from winepress_shared.webhook import Webhook, WebhookEvent

#: Fields that a flag of the same name may give; ``size`` is width and height.
FIELDS = ("size", *{**TextToImage.model_fields, **Inpaint.model_fields})
#: A kind with items comes from a file of many lines.
_KINDS = tuple(name for name, kind in Job.kinds.items() if not kind.has_items)
_EXAMPLES = """\
examples:
  winepress submit text-to-image "a red apple on a teal background" --seed 7 --wait --out .
  winepress submit inpaint "a green pear" --image table.png --mask bowl.png --json
  winepress submit zoom-video "a valley" --key-frames 8 --direction in --out .
  winepress submit --file job.yaml --priority bulk
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "submit",
        help="queue a job",
        description="Queue a job and print its id. --wait and --out also show its progress.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", metavar="KIND", help=", ".join(_KINDS))
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="- reads the prompt from stdin")
    parser.add_argument("--file", type=path_of, help="YAML or JSON, - is stdin; flags override it")
    add_picture(parser.add_argument_group("the picture"))
    add_zoom(parser.add_argument_group("the key frames of a zoom-video"))
    add_film(parser.add_argument_group("the film of a zoom-video"))
    _add_submit_options(parser.add_argument_group("the submission"))
    parser.set_defaults(run=_submit)


def add_picture(group: argparse._ArgumentGroup) -> None:
    """Add the flags that are fields of a job."""
    add = group.add_argument
    add("--model", metavar="M", help="model, by its name in the catalogue")
    add("--precision", choices=tuple(Precision), metavar="P", help=", ".join(Precision))
    add("--size", metavar="WxH", help="in pixels, or auto")
    add("--steps", dest="num_inference_steps", type=int, metavar="N", help="denoising steps")
    add(
        "--guidance",
        dest="guidance_scale",
        type=float,
        metavar="G",
        help="how closely to follow the prompt",
    )
    add(
        "--guidance-rescale",
        type=float,
        metavar="R",
        help="0 to 1: reduces overexposure by strong guidance",
    )
    add("--seed", type=int, metavar="S", help="picture i has seed S + i; -1 is random")
    add("-n", type=int, metavar="K", help="number of pictures")
    add("--negative", dest="negative_prompt", metavar="T", help="negative prompt: what not to draw")
    add("--scheduler", metavar="S", help='for example "DPM++ 2M Karras" or euler_a')
    add("--image", metavar="FILE", help="source picture; PNG, JPEG or WebP")
    add("--mask", metavar="FILE", help="white, or transparent, parts are drawn anew")
    add("--mask-mode", metavar="M", help="how to read the mask: auto, luminance or alpha")
    add("--background", metavar="C", help="colour under transparent pictures: #rrggbb or a name")
    add("--strength", type=float, metavar="X", help="how much to change the source, above 0 to 1")
    _add_shortcuts(add)
    _add_options(add)
    add("--device", choices=("CPU", "GPU", "NPU"), help="render on this kind of device only")
    add(
        "--format",
        dest="output_format",
        choices=("png", "jpeg", "webp"),
        help="of the picture files",
    )
    add("--output-quality", type=int, metavar="Q", help="of JPEG or WebP, 1 to 100")
    add(
        "--no-metadata",
        dest="embed_metadata",
        action="store_false",
        default=None,
        help="keep prompt and settings out of the picture file",
    )


def _add_shortcuts(add: Callable[..., object]) -> None:
    """What makes a picture faster and a little different."""
    add("--quality", choices=tuple(Quality), help="a preset; what it sets depends on the model")
    add("--step-cache", choices=tuple(StepCache), help="how many denoising steps are predicted")
    add(
        "--step-cache-interval",
        type=int,
        metavar="N",
        help="instead: one step of N is computed, the others are predicted",
    )
    add("--guidance-start", type=float, metavar="X", help="share of the steps before guidance")
    add("--guidance-stop", type=float, metavar="X", help="share of the steps after which it ends")
    add("--guidance-min-sigma", type=float, metavar="S", help="noise below which it ends")


def _add_options(add: Callable[..., object]) -> None:
    """Options of some models only; see `winepress models show`."""
    add(
        "--clip-skip",
        type=int,
        metavar="N",
        help="text encoder layer, from the end; 1 is the model's default",
    )
    add("--vae", choices=("full", "tiny"), help="autoencoder, where the model has both")
    add("--preview-every", type=int, metavar="N", help="a small picture after every N steps")
    add(
        "--pictures-per-call",
        type=int,
        metavar="N",
        help="1 draws each picture alone",
    )
    add("--refiner", metavar="M", help="model that finishes the picture")
    add(
        "--denoising-end",
        type=float,
        metavar="X",
        help="share of the steps before the refiner takes over",
    )
    add(
        "--refiner-strength",
        type=float,
        metavar="X",
        help="instead: how much the refiner changes a finished picture",
    )


def _add_submit_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--priority", choices=tuple(Priority), metavar="B", help=", ".join(Priority))
    add("--user", metavar="U", help="users take turns; default: the setting user")
    add("--key", metavar="K", help="idempotency key: the same key within a day gives the same job")
    add("--webhook", metavar="URL", help="http(s) address that is told when the job has ended")
    add(
        "--webhook-events",
        metavar="E",
        help=f"what it is told of, with commas: {', '.join(WebhookEvent)}",
    )
    add_when(group)
    add_following(group)


def add_following(group: argparse._ActionsContainer) -> None:
    """Add the flags of a command that queues a job and may wait for it."""
    add = group.add_argument
    add("--wait", action="store_true", help="wait until the job has ended")
    add("--out", type=Path, metavar="DIR", help="wait, then save pictures and film here")
    add(
        "--preview",
        type=Path,
        metavar="FILE",
        help="wait, and write the newest picture here meanwhile",
    )
    add("--json", action="store_true", help="one JSON object per line")


def _submit(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    values, user, warnings = _values(arguments)
    check_targets(arguments)
    with Client.from_env() as client:
        handle = client.submit(
            parse_job(values),
            user=user if arguments.user is None else arguments.user,
            idempotency_key=arguments.key,
            expires_in=arguments.expires,
            start_in=start_in(arguments),
            window=window(arguments),
            warnings=warnings,
            webhook=_webhook(arguments),
        )
        return tell_and_follow(console, handle, arguments)


def _webhook(arguments: argparse.Namespace) -> Webhook | None:
    events = arguments.webhook_events
    return Webhook.of(arguments.webhook, None if events is None else events.split(","))


def tell_and_follow(console: Console, handle: JobHandle, arguments: argparse.Namespace) -> int:
    """Report the queued job, and follow it as the flags of `add_following` say."""
    out, preview = arguments.out, arguments.preview
    try:
        said = _report(console, handle)
        if arguments.wait or out or preview:
            return follow_to_end(console, handle, out=out, preview=preview, said=said)
    except KeyboardInterrupt:
        return interrupted(console, [handle])
    return 0


def _values(arguments: argparse.Namespace) -> tuple[dict[str, Any], str | None, list[str]]:
    """The fields of the job; from a file also its user, and warnings about ignored fields."""
    warnings: list[str] = []
    values = given_fields(arguments, FIELDS)
    values |= zoom_fields(arguments, (*ZOOM_FIELDS, *FILM_FIELDS))
    if arguments.file is not None:
        if arguments.prompt is None and arguments.kind and arguments.kind not in Job.kinds:
            raise WrongUsage("give the kind before the prompt", value=arguments.kind)
        from_file, warnings = read_job_file(arguments.file)
        values = _merge(from_file, values)
        if is_infinite_zoom(values):
            values.setdefault("kind", "zoom-video")
    elif arguments.kind is None or not values.keys() & {"prompt", *PROMPT_TABLES}:
        raise WrongUsage(
            "give a kind and a prompt, or --file",
            allowed=f"kinds: {', '.join(_KINDS)}",
            hint="See `winepress submit --help`",
        )
    kind = Job.kinds.get(str(values.get("kind")))
    if kind is not None and kind.has_items:
        raise WrongUsage(
            "batch jobs cannot be submitted like this",
            field="kind",
            value=values["kind"],
            allowed=", ".join(_KINDS),
            hint="`winepress batch FILE` queues many different pictures",
        )
    if values.get("prompt") == "-":
        values["prompt"] = _read_prompt()
    user = values.pop("user", None)
    return values, None if user is None else str(user), warnings


def _merge(from_file: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Fields from a file and from flags; flags win, whatever names the file uses."""
    from winepress_shared.jobs.aliases import canonical_fields

    return canonical_fields(from_file) | canonical_fields(flags)


def _read_prompt() -> str:
    data = sys.stdin.buffer.read(4 * MAX_PROMPT_CHARACTERS + 1)
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise WrongUsage("the prompt on stdin is not UTF-8 text, or is too long") from None


def _report(console: Console, handle: JobHandle) -> str:
    """Report the queued job; returns the reason why it stalls, if this was reported too."""
    row = handle.status()
    reason = handle.why_impossible
    values = {
        "id": row.id,
        "state": row.state.value,
        "kind": row.kind,
        "lane": row.lane,
        "user": row.user,
        "units": row.units,
        "is_possible": reason is None,
        "reason": reason,
        "warnings": handle.warnings,
    }
    console.result(values, row.id)
    if reason and not row.state.is_terminal:
        console.note(f"accepted, but no worker can render it now: {reason}")
        return handle.why_stalled
    return ""
