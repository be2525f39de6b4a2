"""OpenTelemetry spans of requests."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import pytest
from click.testing import CliRunner
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from heksherlite.cli.commands import heksherlite
from tests.service.in_process import Application, with_application
from tests.service.test_processes import process

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Return the exporter of this process, in which OpenTelemetry is set up."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return exporter


def test_a_request_is_a_span_of_its_caller(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    """A span has the route, status and revision, continues the trace of the client, and contains no header."""

    async def look(made: Application) -> None:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "Authorization": "Bearer hkl_secret"}
        assert (await made.http.get("/api/v1/rules/7", headers=headers)).status_code == 404
        assert (await made.http.post("/api/v1/context_features", json={"context_feature": "a"})).status_code == 204
        assert (await made.http.get("/api/v1/context_features")).status_code == 200

    with_application(tmp_path, look)
    missing, added, listed = spans.get_finished_spans()
    assert missing.name == "GET /api/v1/rules/{rule_id}"
    assert missing.context is not None
    assert missing.parent is not None
    assert (f"{missing.context.trace_id:032x}", f"{missing.parent.span_id:016x}") == (TRACE, PARENT)
    attributes = missing.attributes or {}
    assert (attributes["http.route"], attributes["http.response.status_code"]) == ("/api/v1/rules/{rule_id}", 404)
    assert "secret" not in missing.to_json()
    revisions = [(span.attributes or {})["heksherlite.revision"] for span in (missing, added, listed)]
    assert revisions == [0, 0, 1]


def test_probes_and_codes_are_in_no_spans(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    """Health checks make no spans, and codes in URLs are not in spans."""

    async def look(made: Application) -> None:
        for path in ("/api/health", "/api/ready", "/metrics"):
            assert (await made.http.get(path)).status_code == 200
        for path in ("/f/configure/?device_code=ABCD2345", "/f/configure?device_code=A", "/f/login?next=configure/"):
            await made.http.get(path)

    with_application(tmp_path, look)
    assert spans.get_finished_spans() == ()


@pytest.fixture
def collector() -> Iterator[tuple[str, "Queue[tuple[str, bytes]]"]]:
    """Return the address of a collector, and a queue of the received data."""
    received: Queue[tuple[str, bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_sends_to_a_collector(
    tmp_path: Path, collector: tuple[str, "Queue[tuple[str, bytes]]"], workers: str
) -> None:
    """The service sends its spans to the configured collector, at the latest when it ends."""
    address, received = collector
    arguments = ("--database", f"sqlite:///{tmp_path}/a.db", "--opentelemetry", "--workers", workers)
    with process(*arguments, OTEL_EXPORTER_OTLP_ENDPOINT=address) as (running, api):
        assert api.get("query").status_code == 200
        running.terminate()
        assert running.wait(30) == 0
    sent = [received.get() for _ in range(received.qsize())]
    requests = [ExportTraceServiceRequest.FromString(body) for path, body in sent if path == "/v1/traces"]
    (resource,) = [resource for request in requests for resource in request.resource_spans]
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["GET /api/v1/query"]
    names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert names["service.name"] == "heksherlite"


def test_without_a_collector_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing address of the collector is an error at the start."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    database = f"sqlite:///{tmp_path}/a.db"
    result = CliRunner().invoke(heksherlite, ["serve", "--opentelemetry", "--port", "0", "--database", database])
    assert result.exit_code == 2
    assert "set OTEL_EXPORTER_OTLP_ENDPOINT" in result.stderr
