"""Every page is followed by a reader who does what it says, on the farm that the README starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.markdown_pages import ROOT, Page, pages
from support.servers import scrubbed_environment

from winepress import Client, Conflict, JobState
from winepress_deploy.state_folder import StateFolder
from winepress_shared.settings import Settings

README = Page(ROOT / "README.md")
PAGES = [page for page in pages() if page != README and any(one.is_run for one in page.blocks)]
_PAGE_S = 600  #: a worker may have to prepare int8 first: minutes on a busy machine
_STUCK = 124  #: as timeout(1) says it


@dataclass(frozen=True)
class Reader:
    """Somebody at a shell, in a home of their own."""

    home: Path
    model_home: Path
    is_told_of_farm: bool = True

    @property
    def config(self) -> Path:
        """Where the README says that the settings of its farm are."""
        return self.home / ".local" / "state" / "winepress" / "winepress.toml"

    def follow(self, page: Page) -> Path:
        """Do what a page says, in a folder with nothing but the examples, and return that.

        A block that fails ends the test.
        """
        folder = self.home / page.name.replace("/", "-").removesuffix(".md")
        shutil.copytree(ROOT / "examples", folder / "examples")
        code, printed = self.run(self._script(page, folder), folder)
        assert code == 0, f"{page.name}:\n{printed[-3000:]}"
        return folder

    def run(self, script: str, folder: Path) -> tuple[int, str]:
        """The exit code of a script of bash, and what it printed."""
        environment = scrubbed_environment() | {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "WINEPRESS_HOME": str(self.model_home),
        }
        environment.pop("XDG_STATE_HOME", None)
        if self.is_told_of_farm:
            environment["WINEPRESS_CONFIG"] = str(self.config)
            # The pages name the usual port, which may be taken on a machine that tests.
            environment["GATEWAY"] = StateFolder(self.config.parent).announced()["urls"]["gateway"]
        printed = folder / "printed.txt"
        with printed.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            code = process.wait(_PAGE_S)
        except subprocess.TimeoutExpired:
            code = _STUCK
        finally:
            with suppress(ProcessLookupError):  # what it left in the background, if anything
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return code, printed.read_text("utf-8")

    def _script(self, page: Page, folder: Path) -> str:
        """The blocks of a page, one after the other; files that it shows lie there already."""
        parts = []
        for block in page.blocks:
            if block.is_run:
                parts.append(f"echo '== line {block.line}'")
            if block.is_python:
                (folder / f"line_{block.line}.py").write_text(block.text)
                parts.append(f"python line_{block.line}.py")
            elif block.is_run:
                parts.append(block.text)
            elif block.word and block.language not in ("sh", "python"):
                (folder / block.word).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.word).write_text(block.text)
        return "\n".join(parts)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Iterator[Reader]:
    """Who has followed the README: its farm runs as long as the module's tests."""
    newcomer = Reader(tmp_path_factory.mktemp("reader"), model_home, is_told_of_farm=False)
    try:
        folder = newcomer.follow(README)
        assert len(list(folder.glob("pictures/*.png"))) == 1
        assert len(list(folder.glob("apples/*.png"))) == 4
        yield Reader(newcomer.home, model_home)
    finally:
        # A page that did not come to its end may have left a farm of its own.
        for running in newcomer.home.rglob("farm.json"):
            newcomer.run(f"winepress down --state '{running.parent}'", newcomer.home)


@pytest.fixture
def _emptied(reader: Reader) -> Iterator[None]:
    """Jobs that a page leaves waiting keep no worker from the next page."""
    yield
    with Client(Settings.load({}, reader.config)) as client:
        for row in client.list():
            if not row.state.is_terminal:
                try:
                    client.cancel(row.id)
                except Conflict:  # it ended just now
                    assert client.get(row.id).status().state is not JobState.QUEUED


@pytest.mark.slow
@pytest.mark.timeout(_PAGE_S + 60)
@pytest.mark.usefixtures("_emptied")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whoever_does_what_a_page_says_gets_what_it_promises(reader: Reader, page: Page) -> None:
    """Every block ends well, but for those that a page marks as not for any machine."""
    reader.follow(page)
