"""What requests of OpenAI's clients mean: names of models, sizes, and errors."""

from __future__ import annotations

import json

import pytest
from starlette.datastructures import QueryParams

from winepress import Client
from winepress.gateway.openai.batch_order import form_of, read_metadata
from winepress.gateway.openai.errors import openai_error
from winepress.gateway.openai.image_request import read_request
from winepress.gateway.openai.model_names import model_for, model_of
from winepress.gateway.openai.pages import page_json
from winepress.gateway.openai.sizes import fitting_size
from winepress.gateway.problems import problem_of
from winepress.gateway.refusals import NoWorker, TooManyRequests, UnsupportedBody
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import Conflict, InvalidJob, JobFailed, NotFound, UnknownModel
from winepress_shared.settings import Settings

CATALOGUE = Catalogue.load()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-image-2.5-sunburst-2026-09-08", "tiny-sd"),
        ("dall-e-3", "tiny-sd"),
        ("chatgpt-image-latest", "tiny-sd"),
        ("gpt-image-1", "sd21-base"),  # an alias of the settings
        (None, "tiny-sd"),
        ("vignette", "vignette"),
        ("gpt-4o", "gpt-4o"),  # no model of pictures
    ],
)
def test_a_name_of_openai_is_the_default_model_unless_an_alias_says_more(
    name: str | None, model: str
) -> None:
    """No client needs to be told our names."""
    settings = Settings(default_model="tiny-sd", model_aliases={"gpt-image-1": "sd21-base"})
    assert model_of(settings, name) == model


def test_an_alias_sends_its_companion_for_what_it_cannot_do_itself() -> None:
    """And a model that is named itself is taken at its word."""
    settings = Settings(default_model="vignette-inpaint")
    assert model_for(settings, CATALOGUE, "dall-e-2", "inpaint") == "vignette-inpaint"
    assert model_for(settings, CATALOGUE, "dall-e-2", "text-to-image") == "vignette"
    named = model_for(settings, CATALOGUE, "vignette-inpaint", "text-to-image")
    assert named == "vignette-inpaint"


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ("1024x1024", "256x256"),
        ("512x512", "512x512"),
        ("1536x1024", "320x192"),
        ("1024x1792", "192x320"),
        ("500x500", "500x500"),  # refused later, with what is allowed
        ("auto", "auto"),
        (None, None),
    ],
)
def test_a_usual_size_becomes_one_that_the_model_takes(size: str | None, drawn: str | None) -> None:
    """In the shape that was asked for, with a warning; any other size is taken at its word."""
    found, warning = fitting_size(CATALOGUE.get("vignette"), size, of_picture=False)
    assert found == drawn
    assert (warning is None) == (size == drawn)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", "0"),
        ("n", 11),
        ("n", True),
        ("n", 1.5),
        ("n", "1" * 5000),
        ("n", "٣"),
        ("stream", "maybe"),
        ("partial_images", 4),
        ("response_format", "png"),
        ("response_format", ["url"]),
        ("user", 5),
        ("kind", "zoom-video"),
    ],
)
def test_a_bad_value_names_its_field(field: str, value: object) -> None:
    """Before anything is queued."""
    with pytest.raises(InvalidJob) as refused:
        read_request(Client(Settings()), {"prompt": "a", field: value}, "text-to-image")
    assert refused.value.field == field


def test_values_of_forms_are_texts() -> None:
    """Numbers and switches among them."""
    values = {"prompt": "a", "n": "2", "stream": "true", "partial_images": "3", "seed": "5"}
    asked = read_request(Client(Settings()), values, "text-to-image")
    assert (asked.fields["n"], asked.stream, asked.partial_images) == (2, True, 3)


def test_previews_without_a_stream_are_not_forgotten_in_silence() -> None:
    """A warning says what they need."""
    values = {"prompt": "a", "partial_images": 2}
    asked = read_request(Client(Settings()), values, "text-to-image")
    assert asked.warnings == ("partial_images is ignored: only a stream has them",)


@pytest.mark.parametrize("model", [5, ["vignette"], {"a": 1}])
def test_a_name_that_is_no_text_is_an_unknown_model(model: object) -> None:
    """And no fault of the gateway."""
    with pytest.raises(UnknownModel):
        read_request(Client(Settings()), {"model": model}, "text-to-image")


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (UnknownModel("a", field="model"), 404, "invalid_request_error", "model_not_found"),
        (UnknownModel("a", field="precision"), 400, "invalid_request_error", "unknown-model"),
        (InvalidJob("a", field="n"), 400, "invalid_request_error", "invalid-job"),
        (NotFound("a"), 404, "invalid_request_error", "not-found"),
        (TooManyRequests("a"), 429, "rate_limit_error", "too-many-requests"),
        (NoWorker("a"), 503, "server_error", "no-worker"),
    ],
)
def test_errors_have_the_form_that_clients_read(
    error: Exception, status: int, kind: str, code: str
) -> None:
    """A status and a type that they map to their exceptions, and a code that stays."""
    assert isinstance(error, InvalidJob | UnknownModel | NotFound | TooManyRequests | NoWorker)
    answer = openai_error(problem_of(error))
    body = json.loads(bytes(answer.body))["error"]
    assert (answer.status_code, body["type"], body["code"]) == (status, kind, code)
    assert set(body) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("error", [Conflict("a"), JobFailed("a")])
def test_what_a_repetition_would_meet_again_is_not_repeated(error: Conflict | JobFailed) -> None:
    """Clients repeat 409 and 500 unless they are told."""
    assert openai_error(problem_of(error)).headers["x-should-retry"] == "false"


def test_pages_follow_each_other_and_leave_out_what_was_deleted() -> None:
    """A client goes on with the last id that it saw."""
    ids = ["e", "d", "c", "b", "a"]

    def read(name: str) -> dict[str, str] | None:
        return None if name == "d" else {"id": name}

    page = page_json(ids, None, 2, read)
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (["e"], True)
    page = page_json(ids, page["last_id"], 3, read)
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (["c", "b", "a"], False)
    with pytest.raises(NotFound):
        page_json(ids, "z", 2, read)


def test_the_form_of_a_batch_is_known_by_its_media_type_or_named() -> None:
    """JSON is OpenAI's own."""
    plain = QueryParams()
    assert form_of("text/csv; charset=utf-8", plain) == "csv"
    assert form_of("application/json", plain) is None
    assert form_of("text/plain", QueryParams("format=jsonl")) == "jsonl"
    with pytest.raises(UnsupportedBody):
        form_of("image/png", plain)
    with pytest.raises(InvalidJob):
        form_of("text/csv", QueryParams("format=xlsx"))


@pytest.mark.parametrize("metadata", [{"a": 1}, ["a"], {str(n): "" for n in range(17)}])
def test_metadata_is_a_few_texts(metadata: object) -> None:
    """As OpenAI has it."""
    with pytest.raises(InvalidJob):
        read_metadata(metadata)
