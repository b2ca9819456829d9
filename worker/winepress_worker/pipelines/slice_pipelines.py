"""The pipelines that draw one slice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_shared.tracing import Tracer
from winepress_worker.engines.base import Engine, OnStep, Pipeline, PipelineKey, Request
from winepress_worker.pipelines.refined import render_refined
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.tally import Tally


class SlicePipelines:
    """Draws each request by the model it names, and then by its refiner if it names one.

    A model is prepared once in a slice, and loaded when it is first needed. Methods raise what the
    engine raises.
    """

    def __init__(
        self,
        engine: Engine,
        pool: WarmPool,
        note: Callable[[str], None],
        on_loaded: Callable[[], None],
        tally: Tally | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """``note`` is told what takes long; ``on_loaded`` is called when a pipeline is loaded.

        ``tally`` counts calls; ``tracer`` makes spans of loads and calls.
        """
        self._tracer = tracer or Tracer()
        self._tally = tally or Tally()
        self._met: set[PipelineKey] = set()
        self._engine = engine
        self._pool = pool
        self._note = note
        self._on_loaded = on_loaded
        self._keys: dict[tuple[str, Precision], PipelineKey] = {}

    @property
    def free_bytes(self) -> int:
        """Memory that models of this worker may still take."""
        return self._pool.free_bytes

    def prepare(self, model: str, precision: Precision) -> PipelineKey:
        """Have a model ready to be loaded, which may take half a minute."""
        if (model, precision) not in self._keys:
            with self._tracer.span(f"prepare {model}"):
                key = self._engine.prepare(model, precision, lambda text, _: self._note(text))
            self._keys[model, precision] = key
        return self._keys[model, precision]

    def load(self, job: Job) -> tuple[Pipeline, ...]:
        """The pipelines that draw ``job``: that of its model, then that of its refiner.

        Raises EnvironmentFault when the two do not fit into memory together.
        """
        first = self.prepare(job.model, job.precision)
        if job.refinement is None:
            return (self._get(first),)
        second = self.prepare(job.refinement.model, job.precision)
        with self._pool.pinned(second):  # the growth of the first must not unload it
            pipeline = self._get(first)
        with self._pool.pinned(first):
            return pipeline, self._get(second)

    def is_warm(self, job: Job) -> bool:
        """Whether all models of ``job`` have drawn before: a first call compiles kernels too."""
        return all(pipeline.is_warm for pipeline in self.load(job))

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        refinement, pipelines = request.job.refinement, self.load(request.job)
        self._tally.add("calls", pipelines[0].key.name)
        self._tally.add("call_pictures", pipelines[0].key.name, len(request.seeds))
        with self._tracer.span(f"generate_content {request.job.model}", _told(request)):
            steps = _Steps(on_step)
            if refinement is None:
                images = pipelines[0].render(request, steps)
            else:
                images = render_refined(pipelines[0], pipelines[1], refinement, request, steps)
            self._tracer.past("denoise", steps.began_ns, steps.newest_ns)
            self._tracer.past("decode", steps.newest_ns, time.time_ns())
            return images

    def facts(self, request: Request) -> PictureFacts:
        """How the models render ``request``; revisions of two are joined by a plus sign."""
        pipelines = self.load(request.job)
        revision = "+".join(pipeline.key.revision for pipeline in pipelines)
        return replace(pipelines[0].facts(request), revision=revision)

    def unread(self, job: Job) -> tuple[str, ...]:
        """What the model of ``job`` does not read of its texts; see `Pipeline.unread`.

        A refiner reads no less: its text encoder is the second one of the first model.
        """
        return self.load(job)[0].unread(job)

    def _get(self, key: PipelineKey) -> Pipeline:
        is_warm, is_met = key in self._pool.warm, key in self._met
        self._met.add(key)
        if is_warm:
            if not is_met:
                self._tally.add("warm_hits", key.name)
            return self._pool.get(key)
        self._note(f"loading {key.name}")
        with self._tracer.span(f"load {key.name}", {"winepress.device": key.device}):
            pipeline = self._pool.get(key)
        self._on_loaded()
        return pipeline


class _Steps:
    """A step callback that knows when the newest step was done."""

    def __init__(self, on_step: OnStep) -> None:
        self.began_ns = self.newest_ns = time.time_ns()
        self._on_step = on_step

    def __call__(self, done: int, steps: int) -> None:
        self.newest_ns = time.time_ns()
        self._on_step(done, steps)


def _told(request: Request) -> dict[str, str | int]:
    """What the conventions say of a call of a model, without its prompt."""
    return {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "winepress",
        "gen_ai.request.model": request.job.model,
        "gen_ai.request.seed": request.seeds[0],
        "gen_ai.request.choice.count": len(request.seeds),
        "gen_ai.output.type": "image",
        "winepress.steps": request.job.num_inference_steps or 1,
        "winepress.precision": str(request.job.precision),
    }
