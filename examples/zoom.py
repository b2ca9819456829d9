"""Draw a zoom, then cut a second film from the same key frames: python examples/zoom.py."""

from winepress import Client, ZoomVideo

zoom = ZoomVideo(
    prompts=((0, "a house on the grass"), (1, "the mountains"), (2, "the forest")),
    key_frames=3,
    seed=7,
    fps=15,
)

if __name__ == "__main__":
    with Client.from_env() as client:
        job = client.submit(zoom)
        for event in job.events(timeout=300):
            if event.name == "unit-done":
                print(event.fields["done"], "of", event.fields["units"])
        print(*job.save("zoom"), sep="\n")
        second = client.recut(job.id, direction="ping-pong", seconds_per_key_frame=0.5)
        print(*second.wait(timeout=300).save("zoom"), sep="\n")
