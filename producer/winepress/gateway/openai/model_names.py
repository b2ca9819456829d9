"""Names of models as clients of OpenAI send them, and the models of the farm that they mean."""

from __future__ import annotations

import re

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import UnknownModel
from winepress_shared.settings import Settings

#: Ids that are built into clients; all of them mean the default model unless an alias says more.
LISTED_NAMES = (
    "gpt-image-2",
    "gpt-image-1.5",
    "gpt-image-1",
    "gpt-image-1-mini",
    "dall-e-3",
    "dall-e-2",
)
_THEIRS = re.compile(r"(?:(?:chat)?gpt-image|dall-e)(?:[-.][a-z0-9.-]{1,60})?")
_ANSWERS_BYTES = re.compile(r"(?:chat)?gpt-image")


def model_of(settings: Settings, name: str | None) -> str:
    """The model that a name means: an alias's, the default for OpenAI's names, or the name."""
    if name is None:
        return settings.default_model
    found = settings.model_aliases.get(name)
    if found is None and _THEIRS.fullmatch(name):
        found = settings.default_model
    return found or name


def model_for(settings: Settings, catalogue: Catalogue, name: str | None, kind: str) -> str:
    """The same for a job of one kind; a model that is not named itself may send its companion.

    So an edit with a mask works under the same alias as a picture from a prompt. Raises
    UnknownModel.
    """
    model = catalogue.get(model_of(settings, name))
    if model.name == name or kind in model.kinds or not model.companion:
        return model.name
    return model.companion if kind in catalogue.get(model.companion).kinds else model.name


def answers_bytes(name: str | None) -> bool:
    """Whether OpenAI answers requests for this model with the picture itself and not with a URL."""
    return name is not None and _ANSWERS_BYTES.match(name) is not None


def check_name(name: object) -> str | None:
    """``name`` as the name of a model; raises UnknownModel."""
    if name is None or name == "":
        return None
    if not isinstance(name, str):
        raise UnknownModel("not the name of a model", field="model", value=name)
    return name
