"""The models of a farm, as an assistant chooses among them."""

from __future__ import annotations

from collections.abc import Sequence

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from winepress.gateway.mcp.backend import Backend
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Lane, Precision
from winepress_shared.ledger.records import Worker
from winepress_shared.model import Model


class ModelAnswer(BaseModel):
    """One model."""

    name: str
    title: str
    kinds: list[str] = Field(description="text-to-image, image-to-image, inpaint, zoom-video")
    ready: list[Precision] = Field(description="precisions that live workers draw with now")
    precisions: list[Precision]
    width: int = Field(description="default")
    height: int = Field(description="default")
    max_side: int = Field(description="largest width and height")
    num_inference_steps: int = Field(description="default")
    guidance_scale: float = Field(description="default")
    licence: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        ready = f"ready in {', '.join(self.ready)}" if self.ready else "not ready: no worker has it"
        return (
            f"{self.name}: {self.title}. {ready}; {', '.join(self.kinds)}; {self.width}x"
            f"{self.height} by default, sides up to {self.max_side}; {self.num_inference_steps} "
            f"steps, guidance {self.guidance_scale:g}; licence {self.licence}"
        )


class ModelListAnswer(BaseModel):
    """Every model that may be asked for, those that are ready first."""

    models: list[ModelAnswer]


def list_models(backend: Backend) -> CallToolResult:
    """The answer of the tool; blocks."""
    workers = backend.workers()
    models = [_answer(model, workers) for model in _allowed(backend)]
    models.sort(key=lambda model: not model.ready)
    return CallToolResult(
        content=[TextContent(type="text", text="\n".join(model.line for model in models))],
        structured_content=ModelListAnswer(models=models).model_dump(mode="json"),
    )


def _allowed(backend: Backend) -> list[Model]:
    catalogue, allowed = backend.client.client.catalogue, backend.models
    return [catalogue.get(name) for name in catalogue.names if allowed is None or name in allowed]


def _ready(model: Model, workers: Sequence[Worker]) -> list[Precision]:
    lanes = {precision: str(Lane(model.name, precision)) for precision in model.precisions}
    return [
        precision
        for precision, lane in lanes.items()
        if any(worker.serves(lane) for worker in workers)
    ]


def _answer(model: Model, workers: Sequence[Worker]) -> ModelAnswer:
    shared = {name: getattr(model, name) for name in ModelAnswer.model_fields if name != "ready"}
    return ModelAnswer(**shared, ready=_ready(model, workers))


def ready_model(backend: Backend, kind: str, precision: Precision) -> str | None:
    """A model for somebody who names none, a ready one if any; None is the kind's own. Blocks."""
    own = Job.kinds[kind].model_fields["model"].default
    workers = backend.workers()
    allowed = [model for model in _allowed(backend) if kind in model.kinds]
    ready = [model for model in allowed if precision in _ready(model, workers)]
    names = [model.name for model in ready or allowed]
    return None if own in names or not names else names[0]
