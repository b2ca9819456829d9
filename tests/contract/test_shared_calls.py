"""Pictures that share a call, asked of every engine: their company must not show."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.executor_harness import ExecutorHarness
from support.render_requests import difference, image_request, inpaint_request, no_watch, some_job
from support.renderer_in_memory import LANE, RendererInMemory

from winepress_shared.archive import Archive, output_key
from winepress_shared.errors import RetryElsewhere
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.base import Engine, Pipeline, Request
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching

pytestmark = [
    # diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.arithmetic,
]

#: Mean levels of 255. Kernels may add in another order for another number of pictures; what is
#: drawn stays what it is.
ALMOST_NOTHING = 1.0
JOBS = [
    some_job(prompt=f"a {colour} apple", negative_prompt=f"{colour} leaves", seed=seed)
    for seed, colour in enumerate(("red", "green", "blue", "golden"))
]


def drawn(pipeline: Pipeline, request: Request) -> list[Image.Image]:
    return pipeline.render(request, no_watch)


def of_seeds(request: Request, *seeds: int) -> Request:
    return Request(request.job, seeds, request.image, request.mask)


def assert_company_does_not_show(pipeline: Pipeline, request: Request) -> None:
    """A seed beside another one, before or behind it, beside itself, alone."""
    one, other = drawn(pipeline, of_seeds(request, 3, 4))
    first, second = drawn(pipeline, of_seeds(request, 4, 3))
    assert (first.tobytes(), second.tobytes()) == (other.tobytes(), one.tobytes())
    for seed, picture in ((3, one), (4, other)):
        filled = drawn(pipeline, of_seeds(request, seed, seed))
        assert {same.tobytes() for same in filled} == {picture.tobytes()}
        (alone,) = drawn(pipeline, of_seeds(request, seed))
        assert difference(alone, picture) < ALMOST_NOTHING
    assert difference(one, other) > ALMOST_NOTHING


@pytest.mark.parametrize("kind", ["text-to-image", "image-to-image", "inpaint"])
def test_a_picture_does_not_depend_on_what_else_is_in_its_call(
    pipeline: Pipeline, kind: str
) -> None:
    """Among equally many it is the same to the byte, and by itself the same to the eye."""
    requests = {
        "text-to-image": Request(some_job(), (3,)),
        "image-to-image": image_request(),
        "inpaint": inpaint_request("vignette"),
    }
    assert_company_does_not_show(pipeline, requests[kind])


def test_the_inpainting_model_keeps_the_pictures_of_a_call_apart(filler: Pipeline) -> None:
    """The same holds where the mask and the masked picture go through the UNet too."""
    assert_company_does_not_show(filler, inpaint_request("vignette-inpaint"))


def test_pictures_of_different_prompts_share_a_call_unharmed(pipeline: Pipeline) -> None:
    """Four prompts and seeds in one call: each as in a call filled up with itself."""
    together = drawn(pipeline, Request.together(JOBS, None, None))
    turned = drawn(pipeline, Request.together(JOBS[::-1], None, None))[::-1]
    filled = [drawn(pipeline, Request.together([job] * 4, None, None))[0] for job in JOBS]
    bytes_of = [[picture.tobytes() for picture in row] for row in (together, turned, filled)]
    assert bytes_of[0] == bytes_of[1] == bytes_of[2]
    assert len(set(bytes_of[0])) == 4
    for job, picture in zip(JOBS, together, strict=True):
        (alone,) = drawn(pipeline, Request.together([job], None, None))
        assert difference(alone, picture) < ALMOST_NOTHING


def test_pictures_of_a_job_are_the_same_however_it_is_cut_into_slices(
    engine: Engine, tmp_path: Path
) -> None:
    """Whole calls, a tail, single retries, ``--max-batch-size 1``, or one picture given again."""
    job, pool = some_job(n=16, num_inference_steps=2), WarmPool(engine, 2**40)
    again = job.for_unit(5)
    assert again.pictures_per_call == job.pictures_per_call == 4
    whole, apart, given_again = (
        ExecutorHarness(engine, Archive(FolderStore(tmp_path / name)), Batching(most), pool)
        for name, most in (("whole", 4), ("apart", 1), ("again", 4))
    )
    whole.draw(job, range(4))
    whole.draw(job, [4])
    pictures = whole.draw(job, [5, 6])
    for unit in range(7):
        singles = apart.draw(job, [unit], attempts=unit % 2)
    drawn = [pictures[unit].tobytes() for unit in range(7)]
    assert drawn == [singles[unit].tobytes() for unit in range(7)]
    assert drawn[5] == given_again.draw(again, [0])[0].tobytes()
    assert len(set(drawn)) == 7
    pool.close()


def _stored_by(renderer: RendererInMemory) -> list[bytes]:
    """The files of the jobs, each of one picture."""
    keys = [output_key(job.prompt.split()[1], 0, "png") for job in JOBS]
    return [renderer.archive.store.get(key) for key in keys]


def test_pictures_of_several_jobs_are_the_same_alone_in_company_and_after_a_crash(
    engine: Engine, tmp_path: Path
) -> None:
    """To the byte of the file: whoever waits beside a job does not show in its picture."""
    found = []
    for name, together in (("alone", 1), ("company", 4), ("crash", 4)):
        renderer = RendererInMemory(tmp_path / name, engine)
        for job in JOBS:
            fields = {"num_inference_steps": 2, "pictures_per_call": 4}
            renderer.submit(job.model_copy(update=fields), job.prompt.split()[1])
        if name == "crash":  # whose units are drawn alone afterwards
            for slice_ in renderer.leases.claim(str(LANE), 9, together=4, begin=True):
                renderer.ledger.start(slice_.fence, 0)
                renderer.ledger.fail(slice_.fence, 0, RetryElsewhere("lost"), retry=True)
        assert renderer.work(together=together, job_id="red").state == "succeeded"
        found.append(_stored_by(renderer))
        renderer.pool.close()
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == len(JOBS)
