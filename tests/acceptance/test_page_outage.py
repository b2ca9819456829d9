"""The page while its gateway is away: it says so, and goes on where the connection broke off."""

from __future__ import annotations

from playwright.sync_api import Browser, Request, expect
from support.browser import visiting
from support.manual_worker import LANE, ManualWorker, apple
from support.running_gateway import RunningGateway

from winepress import Client
from winepress_shared.settings import Settings


def test_the_page_comes_back_with_its_gateway_and_after_a_reload(
    browser: Browser, farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """It says that the connection is lost, then shows what happened meanwhile."""
    manual_worker.live(LANE)
    with RunningGateway(farm_settings) as first:
        port = int(first.url.rpartition(":")[2])
        job = client.submit(apple())
        tab = visiting(browser, first.url)
        page = tab.__enter__()
        expect(page.locator("#queue-list li")).to_have_count(1)
    try:
        expect(page.locator("#pulse")).to_have_text("No connection; trying again")
        manual_worker.await_ticket(LANE)
        manual_worker.work(LANE)
        job.wait(60)
        with RunningGateway(farm_settings, port):
            expect(page.locator("#gallery [data-job] img")).to_have_count(1)
            expect(page.locator("#queue")).to_be_hidden()
            page.reload()
            expect(page.locator("#hero .facts")).to_contain_text("vignette")
    finally:
        tab.__exit__(None, None, None)


def test_a_watched_job_goes_on_where_the_connection_broke_off(
    browser: Browser, farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """The page tells the gateway that comes back which event it saw last, and misses none."""
    manual_worker.live(LANE)
    asked: list[str | None] = []
    with RunningGateway(farm_settings) as first:
        port = int(first.url.rpartition(":")[2])
        job = client.submit(apple())
        manual_worker.await_ticket(LANE)
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
        assert part is not None
        manual_worker.ledger.start(part.fence, 0)
        tab = visiting(browser, first.url)
        page = tab.__enter__()
        page.on("request", lambda one: _note_last_event(one, asked))
        page.locator("#queue-list li button").first.click()
        bar = page.locator("#hero [role=progressbar]")
        manual_worker.ledger.progress(part.fence, 0, 3, 20)
        expect(bar).to_have_attribute("aria-valuenow", "15")
    try:
        expect(page.locator("#pulse")).to_have_text("No connection; trying again")
        seen = client.ledger.events(job.id)[-1].id
        manual_worker.ledger.progress(part.fence, 0, 9, 20)  # while nobody could tell
        asked.clear()
        with RunningGateway(farm_settings, port):
            expect(bar).to_have_attribute("aria-valuenow", "45")
            page.close()
    finally:
        tab.__exit__(None, None, None)
    assert asked[0] == seen


def _note_last_event(request: Request, asked: list[str | None]) -> None:
    if request.url.endswith("/events"):
        asked.append(request.headers.get("last-event-id"))
