"""The page in a real browser: a person types, watches, paints, zooms and cancels."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr
from support.browser import visiting
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer
from support.worker_process import WorkerProcess, await_condition

from winepress import Client, Inpaint, Precision, TextToImage
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_FAKE_LANES = "vignette.int8,vignette-inpaint.fp16,film"  #: drawn by the fake engine
#: Width and height of a film, once it has run for a moment.
_PLAYED_SIZE = """(film) => new Promise((done, fail) => {
  film.onerror = () => fail(film.error.message);
  film.ontimeupdate = () => film.currentTime > 0.1 && done([film.videoWidth, film.videoHeight]);
})"""
#: Keeps what the page shows only while a picture grows: a quick one is gone between two looks.
_WATCH_IT_GROW = """() => {
  window.seen = { steps: [], pictures: [] };
  new MutationObserver(() => {
    const bar = document.querySelector("#hero [role=progressbar]");
    const picture = document.getElementById("growing-picture");
    if (bar) window.seen.steps.push(Number(bar.getAttribute("aria-valuenow")));
    if (picture?.src) window.seen.pictures.push(picture.src.slice(0, 15));
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(
    valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory, model_home: Path
) -> Settings:
    """A farm of this module's own."""
    return Settings(
        farm=f"t{secrets.token_hex(6)}",
        broker_url=SecretStr(valkey_server.url),
        store_folder=tmp_path_factory.mktemp("store"),
        home=model_home,
    )


@pytest.fixture(scope="module")
def gateway(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[RunningGateway]:
    """Its gateway, with a worker that draws fp16 and one that pretends to draw the rest."""
    folder, quick = tmp_path_factory.mktemp("workers"), "fake:step_s=0.02"
    with (
        Client(settings) as client,
        WorkerProcess(settings, folder, "real", "openvino", "--lanes", "vignette.fp16"),
        WorkerProcess(settings, folder, "quick", quick, "--lanes", _FAKE_LANES),
        RunningGateway(settings) as one,
    ):
        await_condition(lambda: len(client.workers()) == 2)
        yield one


@pytest.fixture
def page(browser: Browser, gateway: RunningGateway) -> Iterator[Page]:
    """A tab with the page of that gateway."""
    with visiting(browser, gateway.url) as one:
        expect(one.locator("#model option").first).to_be_attached()
        yield one


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """A producer of the same farm."""
    with Client(settings) as one:
        yield one


def _choose_quick(page: Page) -> None:
    page.get_by_role("radio", name="int8", exact=True).check(force=True)


def _newest(client: Client) -> str:
    return client.list(limit=1)[0].id


def test_a_typed_prompt_becomes_a_picture_that_grows_before_its_eyes(page: Page) -> None:
    """Ctrl+Enter; a progress bar moves, a preview shows, and the picture comes with its facts."""
    page.evaluate(_WATCH_IT_GROW)
    page.get_by_role("textbox", name="Prompt").fill("a red apple on the beach")
    page.keyboard.press("Control+Enter")
    picture = page.get_by_role("img", name=re.compile("a red apple on the beach, seed [0-9]+"))
    expect(picture).to_be_visible()
    assert picture.evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 256
    facts = page.locator("#hero .facts")
    expect(facts).to_contain_text("vignette")
    expect(facts).to_contain_text("fp16")
    expect(page.locator("#gallery [data-job] img")).not_to_have_count(0)
    seen = page.evaluate("window.seen")
    assert any(0 < step < 100 for step in seen["steps"]), seen
    assert "data:image/jpeg" in seen["pictures"], seen


def test_a_painted_mask_arrives_as_it_was_painted(page: Page, client: Client) -> None:
    """White where the brush was, black elsewhere, in the size of the picture; undo takes back."""
    page.locator("#source-file").set_input_files(
        {"name": "sky.png", "mimeType": "image/png", "buffer": _png("skyblue", (256, 192))}
    )
    page.get_by_role("button", name="Paint a mask").click()
    board = page.locator("#mask-canvas")
    expect(board).to_be_visible()
    box = board.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    for target in (x, x + box["width"] / 2):  # the second stroke is taken back
        page.mouse.move(target, y)
        page.mouse.down()
        page.mouse.move(target + 4, y + 4)
        page.mouse.up()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Use the mask").click()
    expect(page.get_by_role("button", name="Change the mask")).to_be_visible()
    page.get_by_role("textbox", name="Prompt").fill("a hole in the sky")
    _choose_quick(page)
    page.get_by_role("button", name="Make the picture").click()
    expect(page.get_by_role("img", name=re.compile("a hole in the sky, seed"))).to_be_visible()
    job = client.archive.read_job(_newest(client)).job
    assert isinstance(job, Inpaint)
    with Image.open(io.BytesIO(client.archive.read_input(job.mask))) as mask:
        assert mask.size == (256, 192)
        brightness = [mask.convert("L").getpixel(point) for point in ((66, 97), (194, 97), (2, 2))]
    assert brightness == [255, 0, 0]


def test_another_job_is_paused_and_canceled_from_the_queue(page: Page, client: Client) -> None:
    """Each button of a row does what it says, and the row leaves."""
    job = client.submit(
        TextToImage(prompt="a long story", precision=Precision.INT8, num_inference_steps=150, n=500)
    )
    row = page.locator("#queue-list li", has_text="a long story")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    assert job.status().paused
    row.get_by_role("button", name="Cancel: a long story").click()
    expect(row).to_have_count(0)
    assert job.status().state is JobState.CANCELED


def test_a_finished_picture_becomes_a_zoom_that_plays(page: Page, client: Client) -> None:
    """Make a zoom of this, two key frames; the film runs, and one without pictures has a cover."""
    client.submit(
        TextToImage(prompt="an oak", precision=Precision.INT8, width=128, height=128)
    ).wait(60)
    page.locator("#gallery [data-job]", has=page.get_by_role("button", name="an oak")).click()
    page.get_by_role("button", name="Make a zoom of this").click()
    expect(page.locator("#zoom-fields")).to_be_visible()
    expect(page.locator("#chosen")).to_be_visible()
    page.locator("#key_frames").fill("2")
    page.get_by_role("button", name="Make the film").click()
    film = page.locator("#hero video")
    expect(film).to_be_visible()
    assert film.evaluate(_PLAYED_SIZE) == [128, 128]
    client.recut(_newest(client), direction="in").wait(60)
    cover = page.locator("#gallery video")
    expect(cover).to_have_js_property("readyState", 4)
    assert cover.evaluate("(film) => film.videoWidth") == 128


def test_two_precisions_of_one_picture_stand_side_by_side(page: Page, client: Client) -> None:
    """The other one is drawn with the same seed, and a slider moves between them."""
    fields: dict[str, Any] = {"precision": "int8", "width": 128, "height": 128, "seed": 11}
    client.submit(TextToImage(prompt="a fir", **fields)).wait(60)
    page.locator("#gallery [data-job]", has=page.get_by_role("button", name="a fir")).click()
    page.get_by_role("button", name="Compare precisions").click()
    page.locator("#compare").get_by_role("radio", name="fp16").check(force=True)
    page.get_by_role("button", name="Draw it and compare").click()
    slider = page.get_by_role("slider", name="Part that shows int8")
    expect(slider).to_be_visible()
    slider.fill("20")
    other = client.archive.read_job(_newest(client)).job
    assert (other.seed, other.precision, other.prompt) == (11, "fp16", "a fir")


def test_a_batch_is_checked_before_it_is_queued(page: Page, client: Client) -> None:
    """Faults are told by line; then every picture is queued and drawn."""
    page.get_by_role("link", name="Batch").click()
    before = len(client.list())
    page.locator("#batch-file").set_input_files(
        {
            "name": "two.csv",
            "mimeType": "text/csv",
            "buffer": b"prompt,precision,steps\na pear,int8,4\na plum,int8,many\n",
        }
    )
    answer = page.locator("#batch-answer")
    expect(answer).to_contain_text("1 line cannot be drawn")
    expect(answer.get_by_role("row").last).to_contain_text("3")
    assert len(client.list()) == before
    mended = "prompt,precision,steps\na pear,int8,4\na plum,int8,5\n"
    page.get_by_role("textbox", name="Lines").fill(mended)
    page.get_by_role("button", name="Check it").click()
    expect(answer).to_contain_text("In order: 2 pictures from 2 lines")
    assert len(client.list()) == before
    page.get_by_role("button", name="Queue the pictures").click()
    expect(answer).to_contain_text("2 pictures queued")
    batch = page.get_by_role("progressbar", name="Progress of the batch")
    expect(batch).to_have_attribute("aria-valuenow", "100")


def _png(colour: str, size: tuple[int, int]) -> bytes:
    Image.new("RGB", size, colour).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()
