"""``winepress demo``: a narrated tour of a render farm, in a few minutes."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from winepress import Client, ImageToImage, Inpaint, JobHandle, TextToImage, ZoomVideo
from winepress.contact_sheet import contact_sheet
from winepress_deploy.board import JobsBoard
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.services import gateway
from winepress_deploy.services.flower_report import flower_report
from winepress_deploy.state_folder import StateFolder
from winepress_deploy.stop_request import StopRequest
from winepress_shared.errors import JobFailed, WrongUsage
from winepress_shared.jobs.film_cut import Direction, Easing
from winepress_shared.jobs.job import Job
from winepress_shared.terminal import write_line
from winepress_worker.zoom.encoder import sampled

_WORKERS = 2
_DRAIN_S = 10.0  #: most time for a worker to stop: an interrupted demo keeps no pictures
_JOB_S = 300.0  #: longest one job of the demo may take
_PROMPTS = (
    ("a red apple on a teal background", 7),
    ("a panda in the forest", 11),
    ("a rocket in space", 3),
    ("a house in the mountains", 21),
)
_NIGHT = (
    "a cat on a yellow background",
    "a penguin in the snow",
    "a sunflower on a sky blue background",
    "a castle at sunset",
    "a fox in the snow",
    "a strawberry on a white background",
    "a ghost at night",
    "a car in the city",
    "a mushroom in the forest",
    "a smiley on a navy background",
    "a pumpkin at night",
    "a red heart on a pink background",
)
#: Zooms in: the film begins with the widest picture, which is drawn last.
_ZOOM = ZoomVideo(
    prompts=(
        (0, "a house on the grass"),
        (1, "the grass"),
        (2, "the mountains"),
        (4, "the forest"),
    ),
    key_frames=6,
    seed=7,
    direction=Direction.IN,
    easing=Easing.IN_OUT,
    hold=0.5,
)
_RECUT: dict[str, Any] = {
    "direction": "ping-pong",
    "seconds_per_key_frame": 0.5,
    "hold": 0.0,
    "film_width": 384,
}
_STRIP = 12  #: pictures on a film's strip


class Demo:
    """Runs the scenes one after the other and saves every picture."""

    def __init__(self, out: Path, *, stays: bool = False) -> None:
        """``stays`` leaves the farm up for the visitor until Ctrl-C."""
        self._out = out
        self._stays = stays
        self._began = time.monotonic()
        self._kept: list[tuple[str, Image.Image]] = []

    def run(self) -> int:
        """Play all scenes; returns the exit code."""
        state = self._empty_state()
        options = FarmOptions(
            state=state, workers=_WORKERS, gateway=True, alone=True, drain_s=_DRAIN_S
        )
        stop = StopRequest()
        self._say(f"Starting a farm: broker, S3 store, Flower and {_WORKERS} workers on the CPU")
        with stop.on_signals(), Farm(options, self._aside, stop) as farm:
            try:
                with stop.interrupting(), Client(farm.settings) as client:
                    for name, url in farm.urls.items():
                        self._aside(f"{name:7} {url}")
                    self._play(client, farm)
                self._leave_up(farm, stop)
            finally:
                self._say("Stopping the farm")
        shutil.rmtree(state)
        self._say(f"Done. The pictures are in {self._out}/, all of them on contact-sheet.png")
        return 0

    def _leave_up(self, farm: Farm, stop: StopRequest) -> None:
        page = farm.urls[gateway.NAME]
        if self._stays:
            self._say(f"The farm's page is {page}: open it in a browser")
            self._aside("Ctrl-C here stops the farm")
            stop.wait()
        else:
            self._say(f"The farm's page was {page}; `winepress demo --stay` leaves it up for you")

    def _empty_state(self) -> Path:
        """The folder of the demo's farm, without the files of an earlier demo."""
        folder = StateFolder(self._out / "farm")
        folder.create("--out")  # refuses a folder with other files
        if folder.is_locked():
            raise WrongUsage("a demo already runs here", field="--out", value=str(self._out))
        shutil.rmtree(folder.path)
        return folder.path

    def _play(self, client: Client, farm: Farm) -> None:
        apple = self._four_prompts(client)
        self._from_a_picture(client, apple)
        self._into_a_picture(client)
        self._zoom(client)
        self._night(client, farm)
        self._say("What Flower shows")
        for line in flower_report(farm):
            self._aside(line)
        sheet = self._out / "contact-sheet.png"
        contact_sheet(self._kept, columns=6).save(sheet)

    # -- scenes ------------------------------------------------------------------------------

    def _four_prompts(self, client: Client) -> Image.Image:
        self._say("Four prompts. The first waits until its model is prepared and compiled")
        jobs = [TextToImage(prompt=prompt, seed=seed) for prompt, seed in _PROMPTS]
        handles = client.submit_many(jobs)
        self._follow(handles[0])
        self._aside(f"first picture {time.monotonic() - self._began:.0f} s after the start")
        for job, handle in zip(jobs, handles, strict=True):
            self._keep(job, handle)
        return self._kept[0][1]

    def _from_a_picture(self, client: Client, apple: Image.Image) -> None:
        self._say("Image to image: the apple becomes a pumpkin")
        job = ImageToImage(
            prompt="a pumpkin on a teal background", image=apple, strength=0.75, seed=5
        )
        self._keep(job, client.submit(job))

    def _into_a_picture(self, client: Client) -> None:
        self._say("Inpaint: everything around the panda is repainted")
        panda = self._kept[1][1]
        job = Inpaint(prompt="a panda at sunset", image=panda, mask=_surroundings(panda), seed=4)
        handle = client.submit(job)
        self._follow(handle)
        self._keep(job, handle)

    def _zoom(self, client: Client) -> None:
        self._say(f"A zoom: {_ZOOM.key_frame_count} pictures, each around the previous one")
        handle = client.submit(_ZOOM)
        self._follow(handle)
        self._keep_film("zoom", handle)
        self._say("A second film from the same key frames, in and back out, without a model")
        self._keep_film("zoom-recut", client.recut(handle.id, **_RECUT))

    def _night(self, client: Client, farm: Farm) -> None:
        self._say(f"{len(_NIGHT)} pictures are queued; one worker is killed in the middle")
        jobs = [TextToImage(prompt=prompt, seed=40 + i) for i, prompt in enumerate(_NIGHT)]
        handles = client.submit_many(jobs)
        board = JobsBoard(client, handles)
        done = board.watch(1 / 3, _JOB_S)
        victim = farm.workers[0]
        self._aside(f"{done} are done: SIGKILL for {victim.name} (process {victim.pid})")
        victim.kill()
        board.watch(1, _JOB_S)
        for job, handle in zip(jobs, handles, strict=True):
            self._keep(job, handle)
        self._prove_nothing_is_lost(client, handles)

    def _prove_nothing_is_lost(self, client: Client, handles: Sequence[JobHandle]) -> None:
        objects = [
            found.key
            for handle in handles
            for found in client.archive.store.list(f"jobs/{handle.id}/out/")
        ]
        listed = [output.key for handle in handles for output in handle.result.outputs]
        if sorted(objects) != sorted(listed) or len(listed) != len(_NIGHT):
            raise JobFailed(
                f"{len(_NIGHT)} pictures were submitted, {len(objects)} are in the store and "
                f"{len(listed)} in the results"
            )
        again = sum(output.attempts > 1 for h in handles for output in h.result.outputs)
        self._aside(
            f"nothing lost, nothing doubled: {len(objects)} pictures in the store, each once; "
            f"{again} had to be restarted"
        )

    # -- words and pictures ------------------------------------------------------------------

    def _follow(self, handle: JobHandle) -> None:
        """Narrate a job until its first step, then wait for its end."""
        for event in handle.events():
            if event.name == "note":
                self._aside(event.fields["message"])

    def _keep(self, job: Job, handle: JobHandle) -> None:
        ((_, data),) = handle.wait(timeout=_JOB_S).files()
        number = len(self._kept) + 1
        name = f"{number:02}-{job.prompt.replace(' ', '-')}.png"
        (self._out / name).write_bytes(data)
        self._kept.append((f"{job.kind}: {job.prompt}", Image.open(io.BytesIO(data))))
        self._aside(f"{name}")

    def _keep_film(self, name: str, handle: JobHandle) -> None:
        """Save a film, and twelve pictures of it side by side."""
        film = handle.wait(timeout=_JOB_S).film
        if film is None:
            raise JobFailed(f"job {handle.id} has no film")
        path = (self._out / name).with_suffix(Path(film.key).suffix)
        path.unlink(missing_ok=True)  # from an earlier demo
        handle.save_as(film, path)
        strip = [(f"{second:.1f} s", picture) for second, picture in sampled(path, _STRIP)]
        contact_sheet(strip, columns=6).save(self._out / f"{name}-filmstrip.png")
        self._aside(f"{path.name}: {film.frames} frames, {film.width}x{film.height}")

    def _say(self, text: str) -> None:
        write_line(sys.stdout, "")
        write_line(sys.stdout, f"[{time.monotonic() - self._began:5.1f} s] {text}")

    def _aside(self, text: str) -> None:
        write_line(sys.stdout, f"   {text}")


def _surroundings(picture: Image.Image) -> Image.Image:
    """A mask that keeps an ellipse in the middle; its soft edge blends old and new."""
    width, height = picture.size
    mask = Image.new("L", picture.size, 255)
    kept = (width // 12, height // 8, width - width // 12, height - height // 12)
    ImageDraw.Draw(mask).ellipse(kept, fill=0)
    return mask.filter(ImageFilter.GaussianBlur(width / 24))
