"""Follow a job while it is drawn, and keep its previews: python examples/watch.py [JOB]."""

import sys
from pathlib import Path

from winepress import Client, JobHandle, TextToImage


def watch(job: JobHandle, folder: Path) -> None:
    """Print what happens, and keep the newest preview of each picture in ``folder``."""
    folder.mkdir(exist_ok=True)
    for event in job.events(timeout=300):
        print(f"{event.name:<13}", event.fields, f"{job.progress:.0%}")
        if event.name == "preview":
            unit = int(event.fields["unit"])
            preview = job.preview(unit)  # None if the picture is done meanwhile
            if preview:
                (folder / f"{unit:06d}.jpg").write_bytes(preview.jpeg)


if __name__ == "__main__":
    with Client.from_env() as client:
        if sys.argv[1:]:
            watch(client.get(sys.argv[1]), Path("previews"))
        else:
            asked = TextToImage(prompt="a castle at sunset", n=2, preview_every=5)
            watch(client.submit(asked), Path("previews"))
