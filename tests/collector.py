"""A collector of traces inside the test's own process: OTLP over HTTP on a free port, as OpenTelemetry's takes it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """What came of one span."""

    service: str
    name: str
    began_ns: int
    id: bytes
    trace: bytes
    after: tuple[bytes, ...]
    """Ids of its parent and of what it is linked to."""
    attributes: dict[str, str]


class Collector:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.environment = {
            "DAYBOOK_TRACES": f"http://127.0.0.1:{server.server_port}/v1/traces",
            "DAYBOOK_TRACES_SHARE": "1",
        }
        """Settings of workers that send everything here."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        taken = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                taken.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def leads_to(self, start: Span, name: str) -> list[Span]:
        """The way from a span with this name back to `start`, by parents and links; empty where there is none yet."""
        by_id = {span.id: span for span in list(self.spans)}
        for end in [span for span in by_id.values() if span.name == name]:
            ways = [[end]]
            while ways:
                way = ways.pop()
                if way[-1].id == start.id:
                    return way[::-1]
                ways += [[*way, by_id[each]] for each in way[-1].after if each in by_id]
        return []


@cache
def collector() -> Collector:
    """The one of this process; it ends with it."""
    return Collector()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        named = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                after = tuple(each for each in (span.parent_span_id, *(link.span_id for link in span.links)) if each)
                said = {each.key: str(each.value).strip() for each in span.attributes}
                yield Span(
                    *(named["service.name"], span.name, span.start_time_unix_nano, span.span_id, span.trace_id),
                    *(after, said),
                )
