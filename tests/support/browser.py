"""A browser for tests, where one is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: What the browser itself reports of an answer with an error status.
_REFUSED = "Failed to load resource"
_TELL_VIOLATIONS = """addEventListener("securitypolicyviolation",
  (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));"""

Scheme = Literal["light", "dark"]


def browser_command() -> str:
    """The path of a browser; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is here; Debian: apt-get install chromium")
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = browser_command()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One tab with an empty cache; ``complaints`` are errors and warnings of its console."""

    def __init__(self, browser: Browser, width: int = 1280, scheme: Scheme = "light") -> None:
        size: ViewportSize = {"width": width, "height": 860}
        self._context = browser.new_context(viewport=size, color_scheme=scheme)
        self._context.add_init_script(_TELL_VIOLATIONS)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close the tab; fails if anything complained."""
        self._context.close()
        assert self.complaints == [], self.complaints


@contextmanager
def visiting(browser: Browser, address: str, **looks: Any) -> Iterator[Page]:
    """A tab with the page at ``address``; its console must stay silent."""
    visit = Visit(browser, **looks)
    try:
        visit.page.goto(address)
        yield visit.page
    finally:
        visit.close()


def accessibility_faults(page: Page) -> list[str]:
    """What axe finds on a page as it is shown now, one line for each element."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(f"() => {{ {source} }}")
    found = page.evaluate("() => axe.run()")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
