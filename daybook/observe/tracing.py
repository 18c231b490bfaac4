"""Traces by OpenTelemetry: sampled, and sent by OTLP over HTTP from a thread of their own (docs/how-to/watch.md).

Its packages come with `pip install 'daybook[traces]'`. What cannot be sent is dropped: nothing waits for a collector.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from daybook.errors import Misuse
from daybook.settings import Settings
from schemas.tracing import MOST, Attributes, Tracing

if TYPE_CHECKING:
    from schemas.tracing import Span

log = logging.getLogger(__name__)

_SEND_S = 5.0
_END_S = 2.0
"""How long the last spans may take to leave when the process ends."""


def tracing(settings: Settings, role: str) -> Tracing | None:
    """What the worker of a role makes spans with; None where traces are off. Raises Misuse without the packages."""
    if settings.traces is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise Misuse(
            "DAYBOOK_TRACES is set, and OpenTelemetry is not installed: pip install 'daybook[traces]'"
        ) from None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    for name in ("opentelemetry.exporter", "opentelemetry.sdk"):  # a collector that is away is not worth a line a batch
        logging.getLogger(name).setLevel(logging.ERROR)
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.traces_share)),
        resource=Resource.create({"service.name": f"daybook-{role}", "service.instance.id": settings.name_of(role)}),
        shutdown_on_exit=False,  # it would wait for a collector that is away
    )
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=settings.traces, timeout=_SEND_S), schedule_delay_millis=500, max_queue_size=8_192
    )
    provider.add_span_processor(processor)
    atexit.register(_leave, processor)
    log.info("traces of %g %% of all requests go to %s", 100 * settings.traces_share, settings.traces)
    return OpenTelemetry(provider.get_tracer("daybook"))


def _leave(processor: Any) -> None:
    last = threading.Thread(target=processor.force_flush, args=(int(_END_S * 1000),), daemon=True)
    last.start()
    last.join(_END_S)


class OpenTelemetry:
    """The one Tracing."""

    def __init__(self, tracer: Any) -> None:
        """`tracer`: an opentelemetry.trace.Tracer."""
        self._tracer = tracer

    def begin(self, name: str, attributes: Attributes) -> Span | None:
        """See Tracing."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(name, Context(), SpanKind.SERVER, dict(attributes))
        return _Span(span) if span.is_recording() else None

    def follow(self, name: str, after: Sequence[bytes], attributes: Attributes) -> Span:
        """See Tracing."""
        from opentelemetry import trace

        first, *others = [_context(each) for each in after[:MOST]]
        return _Span(
            self._tracer.start_span(
                name,
                trace.set_span_in_context(trace.NonRecordingSpan(first)),
                trace.SpanKind.PRODUCER if name.startswith("send") else trace.SpanKind.CONSUMER,
                dict(attributes),
                [trace.Link(each) for each in others],
            )
        )


class _Span:
    def __init__(self, span: Any) -> None:
        self._span = span

    @property
    def traceparent(self) -> bytes:
        said = self._span.get_span_context()
        return b"00-%032x-%016x-%02x" % (said.trace_id, said.span_id, said.trace_flags)

    def end(self, attributes: Attributes | None = None, *, error: str | None = None) -> None:
        if attributes:
            self._span.set_attributes(dict(attributes))
        if error is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR, error)
        self._span.end()


def _context(traceparent: bytes) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    _, trace_id, span_id, flags = traceparent.decode().split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
