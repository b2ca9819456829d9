"""What the page owes everybody: small, silent, accessible and inert."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import Scheme, accessibility_faults, visiting
from support.manual_worker import LANE, ManualWorker, apple
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

MAX_FIRST_BYTES = 100_000
_HTML = {"Accept": "text/html,application/xhtml+xml"}
_TRANSFERRED = """() => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")].map((one) => [one.name, one.transferSize])"""
#: Paste or drop a picture of 96x64 pixels.
_GIVE_PICTURE = """async (way) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 96, height: 64});
  canvas.getContext("2d").fillRect(0, 0, 96, 64);
  const data = new DataTransfer();
  const blob = await new Promise((done) => canvas.toBlob(done));
  data.items.add(new File([blob], "a.png", {type: "image/png"}));
  const given = way === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  document.getElementById("prompt").dispatchEvent(given);
}"""
_ATTACK = "<img src=x onerror=document.title='owned'> <b>bold</b>"


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def page(browser: Browser, gateway: RunningGateway) -> Iterator[Page]:
    """A tab with its page."""
    with visiting(browser, gateway.url) as one:
        yield one


def _with_pictures(client: Client, worker: ManualWorker) -> None:
    """A finished job of two pictures, one that waits, and one that was canceled."""
    worker.live(LANE)
    done = client.submit(apple(n=2, seed=3))
    worker.await_ticket(LANE)
    worker.work(LANE)
    done.wait(60)
    client.cancel(client.submit(apple()).id)
    client.submit(apple(n=3))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hinders_those_who_see_or_move_otherwise(
    browser: Browser,
    gateway: RunningGateway,
    client: Client,
    manual_worker: ManualWorker,
    width: int,
    scheme: Scheme,
) -> None:
    """axe finds no fault in any view, nor in the dialogs; nothing is wider than the screen."""
    _with_pictures(client, manual_worker)
    with visiting(browser, gateway.url, width=width, scheme=scheme) as page:
        page.emulate_media(reduced_motion="reduce")
        expect(page.locator("#hero .facts")).to_be_visible()
        expect(page.locator("#queue-list li")).to_have_count(1)
        if width == 390:
            page.locator("#settings > summary").click()
        page.locator("#more > summary").click()
        assert accessibility_faults(page) == []
        for view in ("Batch", "Farm"):
            page.get_by_role("link", name=view, exact=True).click()
            expect(page.get_by_role("heading", name=view, exact=True)).to_be_visible()
            assert accessibility_faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("link", name="Studio").click()
        page.get_by_role("button", name="Start from it").click()
        page.get_by_role("button", name="Paint a mask").click()
        expect(page.locator("#mask-canvas")).to_be_visible()
        assert accessibility_faults(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Keyboard shortcuts").click()
        assert accessibility_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_cold_cache_costs_a_tenth_of_a_megabyte_from_this_host_alone(
    page: Page, gateway: RunningGateway
) -> None:
    """Page, scripts, styles and first answers together."""
    expect(page.locator("#model option")).not_to_have_count(0)
    expect(page.get_by_text("Finished pictures are kept here.")).to_be_visible()
    loaded = page.evaluate(_TRANSFERRED)
    assert {name for name, _ in loaded if not name.startswith(gateway.url)} == set()
    assert sum(size for _, size in loaded) <= MAX_FIRST_BYTES


def test_the_page_may_load_and_run_nothing_but_its_own_files(gateway: RunningGateway) -> None:
    """A strict policy, no sniffing, no script in the page itself; an unchanged file is not sent."""
    answer = gateway.http.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "trusted-types 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    scripts = re.findall(r"<script\b([^>]*)>(.*?)</script>", answer.text, re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not text for attributes, text in scripts)
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", answer.text)
    assert gateway.http.head("/").status_code == 200
    known = {"If-None-Match": answer.headers["ETag"]}
    assert gateway.http.get("/", headers=known).status_code == 304
    assert gateway.http.get("/favicon.ico").headers["Content-Type"] == "image/svg+xml"


def test_an_unknown_address_is_told_to_people_and_to_programs(gateway: RunningGateway) -> None:
    """A browser gets a small page, a program problem+json; both are told 404."""
    for path in ("/nowhere", "/page/nothing.js", "/v1/nothing"):
        person, program = gateway.http.get(path, headers=_HTML), gateway.http.get(path)
        assert (person.status_code, program.status_code) == (404, 404)
        assert person.headers["Content-Type"].startswith("text/html")
        assert "Open Winepress" in person.text
        assert program.json()["code"] == "no-such-route"
    unknown = gateway.http.get("/v1/jobs/jnothing", headers=_HTML)
    assert unknown.json()["code"] == "not-found"


def test_what_a_job_says_is_shown_as_text(page: Page, client: Client) -> None:
    """A prompt with markup in it is read, and does nothing."""
    client.submit(apple().model_copy(update={"prompt": _ATTACK}))
    row = page.locator("#queue-list li")
    expect(row).to_contain_text(_ATTACK)
    row.get_by_role("button", name=re.compile("bold")).first.click()
    expect(page.locator("#hero")).to_contain_text(_ATTACK)
    assert page.title() == "Winepress"
    assert page.locator("#hero b, #queue-list b").count() == 0


def test_every_example_of_a_batch_is_one(page: Page, gateway: RunningGateway) -> None:
    """What the field for lines shows before somebody types can be queued as it stands."""
    page.get_by_role("link", name="Batch").click()
    for form, label in (("prompts", "Prompts"), ("csv", "CSV"), ("jsonl", "JSON lines")):
        page.get_by_role("radio", name=label).check(force=True)
        example = page.get_by_role("textbox", name="Lines").get_attribute("placeholder")
        address = f"/v1/batches?format={form}&dry_run=1"
        plan = gateway.http.post(address, content=example or "").json()
        assert (plan["is_valid"], plan["lines"], plan["warnings"]) == (True, 2, []), form


def test_a_refusal_stands_at_the_field_it_names(page: Page) -> None:
    """With the gateway's own words; typing there takes it away."""
    page.get_by_role("textbox", name="Prompt").fill("an apple")
    page.get_by_role("radio", name="other").check(force=True)
    width = page.get_by_role("spinbutton", name="Width in pixels")
    width.fill("100")
    page.keyboard.press("Control+Enter")
    told = page.locator("[data-field~=width] .refusal")
    expect(told).to_contain_text("vignette does not support this size")
    expect(width).to_be_focused()
    expect(width).to_have_attribute("aria-invalid", "true")
    width.fill("128")
    expect(told).to_have_count(0)


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_to_start_from_is_pasted_or_dropped(page: Page, way: str) -> None:
    """The gateway keeps it at once; a file that is no picture is refused at the same place."""
    expect(page.locator("#model option")).not_to_have_count(0)
    page.evaluate(_GIVE_PICTURE, way)
    expect(page.locator("#chosen-facts")).to_have_text("96×64")
    expect(page.locator("#strength-field")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#strength-field")).to_be_hidden()
    page.locator("#source-file").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    expect(page.locator("#source .refusal")).to_contain_text("picture")


def test_a_key_is_asked_for_once_and_never_written_into_an_address(
    browser: Browser, farm_settings: Settings
) -> None:
    """A wrong one is asked for again; the right one goes into headers, and is gone with the tab."""
    _, token = KeyStore(open_store(farm_settings)).create("ann")
    guarded = farm_settings.model_copy(update={"require_keys": True})
    asked: list[str] = []
    with RunningGateway(guarded) as gateway, visiting(browser, gateway.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        for key, reason in (("wine", "a key is needed"), (str(token), "not a key of Winepress")):
            expect(page.locator("#key-reason")).to_contain_text(reason)
            page.get_by_role("textbox", name="Key").fill(key)
            page.keyboard.press("Enter")
        expect(page.locator("#model option")).not_to_have_count(0)
        expect(page.get_by_text("Finished pictures are kept here.")).to_be_visible()
        assert asked
        assert not [url for url in asked if "wp_" in url]
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_older_jobs_come_a_page_at_a_time(page: Page, client: Client) -> None:
    """However many there are, the page asks for two dozen, and for more when it is told to."""
    jobs = client.submit_many([apple(seed=number) for number in range(60)])
    for job in jobs:
        job.cancel()
    page.reload()
    cards = page.locator("#gallery [data-job]")
    expect(cards).to_have_count(24)
    older = page.get_by_role("button", name="Show older ones")
    older.click()
    expect(cards).to_have_count(48)
    older.click()
    expect(cards).to_have_count(60)
    expect(older).to_be_hidden()
    expect(page.locator("#gallery-count")).to_have_text("60 jobs")


def test_a_tab_that_slept_shows_what_happened_meanwhile(
    page: Page, client: Client, manual_worker: ManualWorker
) -> None:
    """Hidden, it asks for nothing; seen again, it asks at once."""
    manual_worker.live(LANE)
    job = client.submit(apple())
    expect(page.locator("#queue-list li")).to_have_count(1)
    _hide(page, "true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    manual_worker.await_ticket(LANE)
    manual_worker.work(LANE)
    job.wait(60)
    page.wait_for_timeout(2000)  # longer than it ever waits between two questions of a busy farm
    assert asked == []
    _hide(page, "false")
    expect(page.locator("#gallery [data-job] img")).to_have_count(1)
    expect(page.locator("#queue")).to_be_hidden()


def _hide(page: Page, hidden: str) -> None:
    state = f"{{value: {hidden}, configurable: true}}"
    page.evaluate(f"Object.defineProperty(document, 'hidden', {state})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
