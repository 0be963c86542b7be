"""Sets up trace export for the `oneseat` command from the environment variables that OpenTelemetry defines."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from oneseat.contract.errors import ErrorInfo, UsageError

_GROUP = "opentelemetry_traces_exporter"


def provider_as_set(environ: Mapping[str, str]) -> trace.TracerProvider | None:
    """A tracer provider with the exporters of OTEL_TRACES_EXPORTER; ``None`` when the process already has one.

    Raises ``UsageError`` ``usage.otel`` when one of them is not installed or does not start.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    # Set as a default: a name given here would override the owner's.
    name = {} if "OTEL_SERVICE_NAME" in environ else {SERVICE_NAME: "oneseat"}
    provider = TracerProvider(resource=Resource.create(name))
    for word in (part.strip() for part in environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")):
        if word not in ("", "none"):
            provider.add_span_processor(BatchSpanProcessor(_exporter(word, environ)))
    return provider


def _exporter(word: str, environ: Mapping[str, str]) -> SpanExporter:
    name = word
    if word == "otlp":
        protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    try:
        (found,) = entry_points(group=_GROUP, name=name)
        exporter: SpanExporter = found.load()()
    except Exception as error:  # an exporter can come from any package and raise anything
        why = "no such exporter is installed" if isinstance(error, ValueError) else str(error)
        package = name.replace("_", "-") if word == "otlp" else word
        raise UsageError(
            ErrorInfo(
                code="usage.otel",
                message=f"Traces cannot be sent: `OTEL_TRACES_EXPORTER={word}`\n  {why}",
                hint=f"Install it: `pip install opentelemetry-exporter-{package}`",
            )
        ) from error
    return exporter
