"""What a web backend does with `AsyncClient`: many visitors, one event loop, no waiting threads.

`draw` is the body of a handler of FastAPI, aiohttp or Starlette. Here three visitors come at once.
"""

import asyncio

from winepress import AsyncClient, InvalidJob, JobFailed, Priority, QueueFull, TextToImage


async def draw(client: AsyncClient, visitor: str, prompt: str) -> tuple[int, object]:
    """The status and the answer for one request.

    A visitor who leaves cancels the task; a job that is being submitted then is canceled with it.
    """
    try:
        asked = TextToImage(prompt=prompt, priority=Priority.INTERACTIVE)
        job = await client.submit(asked, user=visitor)
        await job.wait(timeout=300)
        return 200, await job.urls(expires_s=600)
    except InvalidJob as error:
        return 422, {"field": error.field, "problem": error.problem, "allowed": error.allowed}
    except QueueFull as error:
        return 429, str(error)
    except JobFailed as error:
        return 500, str(error)
    except TimeoutError:
        return 504, "still being drawn"


async def main() -> None:
    """Serve three visitors; the second one asks for nothing."""
    prompts = {"ann": "a fox in the snow", "bob": "", "eve": "a rocket in space"}
    async with AsyncClient.from_env() as client:
        answers = [draw(client, visitor, prompt) for visitor, prompt in prompts.items()]
        for visitor, answer in zip(prompts, await asyncio.gather(*answers), strict=True):
            print(visitor, *answer)


if __name__ == "__main__":
    asyncio.run(main())
