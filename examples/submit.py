"""Submit a job, wait for it, save its pictures: python examples/submit.py "a red apple" apples."""

import sys

from winepress import Client, JobFailed, TextToImage


def main(prompt: str = "a panda in the forest", folder: str = "pictures") -> None:
    """Draw three pictures of ``prompt`` into ``folder``."""
    with Client.from_env() as client:
        job = client.submit(TextToImage(prompt=prompt, seed=7, n=3), user="examples")
        for warning in job.warnings:
            print("warning:", warning)
        try:
            for path in job.wait(timeout=300).save(folder):
                print(path)
        except JobFailed as error:
            sys.exit(f"{error}\n{job.explain()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
