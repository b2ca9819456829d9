"""``winepress submit``: queue one job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winepress.client import Client
from winepress.commands import zoom_flags
from winepress.commands.targets import check_targets
from winepress.commands.watch import follow_to_end, interrupted
from winepress.commands.when import add_when, start_in, window
from winepress.commands.zoom_flags import (
    FILM_FIELDS,
    PROMPT_TABLES,
    ZOOM_FIELDS,
    add_film,
    add_zoom,
)
from winepress.console import Console
from winepress.handle import JobHandle
from winepress.job_files.job_file import read_job_file
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.job import MAX_PROMPT_CHARACTERS, Job, Priority, parse_job
from winepress_shared.jobs.prompt_table import is_infinite_zoom
from winepress_shared.lane import Precision
from winepress_shared.regular_file import path_of

#: Flags that are fields of a job, under the same name.
FIELDS = (
    "kind",
    "prompt",
    "negative_prompt",
    "model",
    "precision",
    "size",
    "num_inference_steps",
    "guidance_scale",
    "guidance_rescale",
    "seed",
    "n",
    "scheduler",
    "priority",
    "device",
    "output_format",
    "output_quality",
    "embed_metadata",
    "image",
    "mask",
    "background",
    "mask_mode",
    "strength",
    "clip_skip",
    "vae",
    "preview_every",
    "pictures_per_call",
    "refiner",
    "denoising_end",
    "refiner_strength",
)
_KINDS = tuple(kind for kind in Job.kinds if kind != "batch")  #: a batch comes from a file
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
        description="Queue a job. Prints its id; with --wait or --out also what came of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", metavar="KIND", help=", ".join(_KINDS))
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="- reads it from stdin")
    parser.add_argument(
        "--file", type=path_of, help="YAML or JSON, - is stdin; flags beside it win"
    )
    add_picture(parser.add_argument_group("the picture"))
    add_zoom(parser.add_argument_group("the key frames of a zoom-video"))
    add_film(parser.add_argument_group("the film of a zoom-video"))
    _add_submit_options(parser.add_argument_group("how it is handled"))
    parser.set_defaults(run=_submit)


def add_picture(group: argparse._ArgumentGroup) -> None:
    """Add the flags that are fields of a job."""
    add = group.add_argument
    add("--model", metavar="M", help="name in the catalogue")
    add("--precision", choices=tuple(Precision), metavar="P", help=", ".join(Precision))
    add("--size", metavar="WxH", help="in pixels, or auto")
    add("--steps", dest="num_inference_steps", type=int, metavar="N", help="denoising steps")
    add("--guidance", dest="guidance_scale", type=float, metavar="G", help="how closely to follow")
    add("--guidance-rescale", type=float, metavar="R", help="0 to 1: tames strong guidance")
    add("--seed", type=int, metavar="S", help="picture i has seed S + i; -1 is random")
    add("-n", type=int, metavar="K", help="number of pictures")
    add("--negative", dest="negative_prompt", metavar="T", help="what not to draw")
    add("--scheduler", metavar="S", help='for example "DPM++ 2M Karras" or euler_a')
    add("--image", metavar="FILE", help="source picture; PNG, JPEG or WebP")
    add("--mask", metavar="FILE", help="white is drawn anew, or what is transparent")
    add("--mask-mode", metavar="M", help="how it is read: auto, luminance or alpha")
    add("--background", metavar="C", help="under transparent pictures: #rrggbb or a colour's name")
    add("--strength", type=float, metavar="X", help="how far from the source, above 0 to 1")
    _add_options(add)
    add("--device", choices=("CPU", "GPU", "NPU"), help="render on this kind of device only")
    add("--format", dest="output_format", choices=("png", "jpeg", "webp"), help="of the files")
    add("--quality", dest="output_quality", type=int, metavar="Q", help="of JPEG or WebP, 1 to 100")
    add(
        "--no-metadata",
        dest="embed_metadata",
        action="store_false",
        default=None,
        help="keep prompt and settings out of the picture file",
    )


def _add_options(add: Callable[..., object]) -> None:
    """What only some models take; see `winepress models show`."""
    add("--clip-skip", type=int, metavar="N", help="text layer from the end; 1 is the model's own")
    add("--vae", choices=("full", "tiny"), help="autoencoder, where the model has both")
    add("--preview-every", type=int, metavar="N", help="a small picture after every N steps")
    add("--pictures-per-call", type=int, metavar="N", help="1: each picture is drawn by itself")
    add("--refiner", metavar="M", help="model that finishes the picture")
    add("--denoising-end", type=float, metavar="X", help="share of the steps before the refiner's")
    add("--refiner-strength", type=float, metavar="X", help="instead: how far it paints anew")


def _add_submit_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--priority", choices=tuple(Priority), metavar="B", help=", ".join(Priority))
    add("--user", metavar="U", help="who takes turns with whom; default: the setting user")
    add("--key", metavar="K", help="the same key within a day gives the same job")
    add_when(group)
    add_following(group)


def add_following(group: argparse._ActionsContainer) -> None:
    """Add the flags of a command that queues a job and may see it through."""
    add = group.add_argument
    add("--wait", action="store_true", help="until the job is over")
    add("--out", type=Path, metavar="DIR", help="wait, then save pictures and film here")
    add("--preview", type=Path, metavar="FILE", help="wait, and keep the newest picture here")
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
        )
        return tell_and_follow(console, handle, arguments)


def tell_and_follow(console: Console, handle: JobHandle, arguments: argparse.Namespace) -> int:
    """Say what was queued, and do what the flags of `add_following` ask for."""
    out, preview = arguments.out, arguments.preview
    try:
        said = _report(console, handle)
        if arguments.wait or out or preview:
            return follow_to_end(console, handle, out=out, preview=preview, said=said)
    except KeyboardInterrupt:
        return interrupted(console, handle)
    return 0


def _values(arguments: argparse.Namespace) -> tuple[dict[str, Any], str | None, list[str]]:
    """The fields of the job and, from a file, its user and warnings of what is left out."""
    warnings: list[str] = []
    given = {name: getattr(arguments, name) for name in FIELDS}
    values = {name: value for name, value in given.items() if value is not None}
    values |= zoom_flags.given(arguments, (*ZOOM_FIELDS, *FILM_FIELDS))
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
    if values.get("kind") == "batch":
        raise WrongUsage(
            "not a kind of picture",
            field="kind",
            value="batch",
            allowed=", ".join(_KINDS),
            hint="`winepress batch FILE` queues many different pictures",
        )
    if values.get("prompt") == "-":
        values["prompt"] = _read_prompt()
    user = values.pop("user", None)
    return values, None if user is None else str(user), warnings


def _merge(from_file: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Flags win, whatever name the file uses for the same thing."""
    from winepress_shared.jobs.aliases import canonical_fields

    return canonical_fields(from_file) | canonical_fields(flags)


def _read_prompt() -> str:
    data = sys.stdin.buffer.read(4 * MAX_PROMPT_CHARACTERS + 1)
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise WrongUsage("the prompt on stdin is not UTF-8 text, or far too long") from None


def _report(console: Console, handle: JobHandle) -> str:
    """Say what was queued; returns why it does not move, as far as the user has been told."""
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
        console.note(f"accepted, but nothing can render it now: {reason}")
        return handle.why_stalled
    return ""
