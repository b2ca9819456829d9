"""What a type checker makes of programs that use Winepress as the pages show it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.markdown_pages import pages

#: Every kind of job and of picture, and what a program does with a handle.
PROGRAM = """
import io
from pathlib import Path

from PIL import Image

import winepress
from winepress import AsyncClient, Client, ImageToImage, Inpaint, JobFailed, JobState, Precision
from winepress import Priority, QueueFull, TextToImage, ZoomVideo


def draw(client: Client, picture: Image.Image) -> list[Path]:
    job = TextToImage(
        prompt="a red apple", num_inference_steps=20, guidance_scale=7, precision=Precision.FP16,
        priority=Priority.BULK, width=256, height=256, scheduler="DPM++ 2M Karras",
    )
    others = [
        ImageToImage(prompt="x", image=picture, strength=0.5, background="teal"),
        Inpaint(prompt="x", image=Path("a.png"), mask=io.BytesIO(), mask_mode="alpha"),
        ZoomVideo(prompt="x", image="a.png", audio="night.mp3", key_frames=4, fps=30),
    ]
    handles = client.submit_many([job, *others], user="ann")
    handle = client.submit(job, expires_in=60, window="22:00-06:00")
    print(handle.warnings, [one.id for one in handles], client.list(JobState.RUNNING))
    try:
        return list(handle.wait(timeout=120).save("apples"))
    except (JobFailed, QueueFull) as error:
        raise SystemExit(f"{winepress.__version__}: {error}") from None


async def serve(picture: bytes) -> list[str]:
    async with AsyncClient.from_env() as client:
        job = await client.in_thread(ImageToImage, prompt="x", image=picture, strength=0.5)
        handle = await client.submit(job, user="ann")
        names = [event.name async for event in handle.events(after="0")]
        return names + list(await (await handle.wait(timeout=120)).urls())
"""


@pytest.mark.slow
def test_a_program_of_the_documented_names_is_well_typed(tmp_path: Path) -> None:
    """In strict mode, with the types that are installed; a mistyped field is found.

    Programs of other projects' clients have those projects' types.
    """
    every = [block for page in pages() for block in page.blocks if block.is_python]
    shown = [block for block in every if "from winepress import" in block.text]
    assert len(shown) >= 5
    for number, block in enumerate(shown):
        (tmp_path / f"shown_{number}.py").write_text(block.text)
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(
        "import winepress\nwinepress.TextToImage(prompt='x', stepps=20)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout
    assert errors[0].startswith('wrong.py:2: error: Unexpected keyword argument "stepps"')
