"""The tracer that the setting ``traces`` asks for."""

from __future__ import annotations

from importlib.util import find_spec

from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.tracing import Tracer


def check_tracing(settings: Settings) -> None:
    """Raise WrongUsage if the setting ``traces`` needs a package that is not installed."""
    if settings.traces == "off":
        return
    try:
        if find_spec("opentelemetry.exporter.otlp.proto.http") and find_spec("opentelemetry.sdk"):
            return
    except ImportError:  # a package above it is missing
        pass
    raise WrongUsage(
        "OpenTelemetry, which makes traces, is not installed",
        field="traces",
        value=settings.traces,
        hint="Install it with: pip install 'winepress[otel]', or set traces to off",
    )


def open_tracer(settings: Settings, service: str) -> Tracer:
    """The tracer that the setting ``traces`` asks for; ``service`` names this kind of process.

    Raises WrongUsage if what makes traces is not installed, or variables of it are not valid.
    """
    check_tracing(settings)
    if settings.traces == "off":
        return Tracer()
    from winepress_shared.open_telemetry import OpenTelemetryTracer

    try:
        return OpenTelemetryTracer(service)
    except (ValueError, OSError) as error:
        raise WrongUsage(
            f"traces cannot be sent: {error}", hint="See the variables OTEL_…"
        ) from None
