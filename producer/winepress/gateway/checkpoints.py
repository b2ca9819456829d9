"""The models of a farm as other programs count them: one for each model and precision."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.gateway import Gateway
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import UnknownModel
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Lane, Precision

_DRAWING = frozenset(("text-to-image", "image-to-image", "inpaint"))
_HASH_DIGITS = 10
_DEFAULT = Job.model_fields["model"].default
#: What clients write around a name: a hash behind it, the suffix of a file.
_AROUND = re.compile(r"\s*\[[0-9a-f]{1,64}\]\Z|\.(?:safetensors|ckpt)\Z")
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Checkpoint:
    """A model in one precision, under the names that clients give it."""

    model: str
    precision: Precision = Precision.FP16

    @property
    def name(self) -> str:
        """``MODEL``, and ``MODEL.PRECISION`` for all but fp16."""
        is_plain = self.precision is Precision.FP16
        return self.model if is_plain else f"{self.model}.{self.precision.value}"

    @property
    def sha256(self) -> str:
        """A digest of the name: each worker prepares the weights for itself."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def hash(self) -> str:
        """The short form of the digest."""
        return self.sha256[:_HASH_DIGITS]

    @property
    def title(self) -> str:
        """``NAME [HASH]``, which clients show and send back."""
        return f"{self.name} [{self.hash}]"

    def item(self) -> dict[str, Any]:
        """The entry in ``sd-models``."""
        return {
            "title": self.title,
            "model_name": self.name,
            "hash": self.hash,
            "sha256": self.sha256,
            "filename": self.name,
            "config": None,
        }


def find_checkpoint(client: Client, text: object) -> Checkpoint:
    """The checkpoint of a title, name, hash, file or alias, in any case; raises UnknownModel."""
    wanted = str(text).strip().lower()[:_MOST_CHARACTERS]
    while (shorter := _AROUND.sub("", wanted)) != wanted:
        wanted = shorter
    aliases = {alias.lower(): model for alias, model in client.settings.model_aliases.items()}
    wanted = aliases.get(wanted, wanted)
    names: dict[str, Checkpoint] = {}
    for one in _known(client.catalogue):
        key = f"{one.model}.{one.precision.value}"
        names |= dict.fromkeys((one.name, key, one.hash, one.sha256), one)
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, client.catalogue.names, n=1)
    raise UnknownModel(
        "unknown model",
        field="model",
        value=text,
        allowed=", ".join(client.catalogue.names),
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _known(catalogue: Catalogue) -> Iterator[Checkpoint]:
    for name in catalogue.names:
        model = catalogue.get(name)
        if _DRAWING & set(model.kinds):
            yield from (Checkpoint(name, precision) for precision in model.precisions)


def served_checkpoints(gateway: Gateway, caller: Caller) -> list[Checkpoint]:
    """What live workers draw with now and the caller may ask for, in the order of the catalogue."""
    workers, models = gateway.workers.now(), caller.models
    return [
        one
        for one in _known(gateway.client.client.catalogue)
        if (models is None or one.model in models)
        and any(worker.serves(str(Lane(one.model, one.precision))) for worker in workers)
    ]


def default_checkpoint(gateway: Gateway, caller: Caller, kind: str) -> Checkpoint:
    """What draws a picture of ``kind`` for somebody who has chosen nothing."""
    catalogue = gateway.client.client.catalogue
    served = served_checkpoints(gateway, caller)
    fitting = [one for one in served if kind in catalogue.get(one.model).kinds]
    return next(iter(fitting), Checkpoint(_DEFAULT))
