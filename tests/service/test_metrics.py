"""``/metrics``, for Prometheus."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.types import Message

from heksherlite import __version__
from heksherlite.service import embedded
from heksherlite.service.api import stream
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.metrics.snapshot import BOUNDS, Latencies, MetricsSnapshot, ResponseLabels, Totals, merge
from tests.service.api import FEATURES, Api
from tests.service.in_process import Application, with_application
from tests.service.test_processes import process
from tests.service.tokens import WITH_TOKENS, make_token
from tests.waiting import until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.values = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parse_text(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.values.get((f"heksherlite_{name}", *sorted(labels.items())), 0)


def scrape(http: httpx.Client, **headers: str) -> Metrics:
    response = http.get("/metrics", headers=headers)
    assert response.status_code == 200, response.text
    return Metrics(response.text)


async def scrape_async(http: httpx.AsyncClient) -> Metrics:
    return Metrics((await http.get("/metrics")).text)


@pytest.fixture
def api_alone() -> Iterator[Api]:
    """Return a client of a service that no other test uses."""
    with embedded(context_features=FEATURES) as service, closing(Api(service.url)) as api:
        yield api


def test_responses_are_counted_by_route_and_status(api_alone: Api) -> None:
    """Each response is counted once, by the template of its route. Unknown paths and methods are no labels."""
    api = api_alone
    api.declare()
    tag = api.get("query").headers["etag"]
    for _ in range(3):
        assert api.call("GET", "query", headers={"If-None-Match": tag}).status_code == 304
    for number in range(4):
        api.get(f"rules/{number}")
    api.call("POST", "rules", {"setting": "cache_ttl"})
    api.http.post("/api/v1/rules", content=b"nonsense")  # without content type
    api.http.get("/any/path")
    api.http.request("BREW", "/any/path")
    counted = scrape(api.http)
    assert counted("http_requests_total", method="GET", route="/api/v1/query", status="200") == 1
    assert counted("http_requests_total", method="GET", route="/api/v1/query", status="304") == 3
    assert counted("http_requests_total", method="GET", route="/api/v1/rules/{rule_id}", status="404") == 4
    assert counted("http_requests_total", method="POST", route="/api/v1/rules", status="422") == 2
    assert counted("http_requests_total", method="GET", route="none", status="404") == 1
    assert counted("http_requests_total", method="other", route="none", status="404") == 1
    assert not any("any/path" in str(key) or "BREW" in str(key) for key in counted.values)


def test_latencies_are_a_histogram(api_alone: Api) -> None:
    """Every response is in the last bucket, and the sum is positive."""
    for _ in range(5):
        api_alone.get("query")
    counted = scrape(api_alone.http)
    name, labels = "http_request_duration_seconds", {"method": "GET", "route": "/api/v1/query"}
    buckets = [counted(f"{name}_bucket", le=str(bound), **labels) for bound in BOUNDS]
    assert buckets == sorted(buckets)
    assert counted(f"{name}_bucket", le="+Inf", **labels) == counted(f"{name}_count", **labels) == 5
    assert counted(f"{name}_sum", **labels) > 0


def test_latencies_fall_into_their_buckets() -> None:
    """A bound belongs to its bucket, and what is longer than all of them is in the last one."""
    latencies = Latencies()
    for seconds in (0.0005, 0.00051, 30.0, 31.0):
        latencies.add(seconds)
    assert (latencies.counts[0], latencies.counts[1], latencies.counts[-2], latencies.counts[-1]) == (1, 1, 1, 1)
    assert sum(latencies.counts) == 4


def test_the_catalog_and_the_writes_are_told(api_alone: Api) -> None:
    """The metrics have the revision, the size of the catalog, the number of effective writes, and the version."""
    api_alone.declare()
    api_alone.declare()  # changes nothing
    api_alone.add_rule(1, user="a")
    told = scrape(api_alone.http)
    names = ("revision", "settings", "rules", "writes_total", "database_up", "streams")
    assert [told(name) for name in names] == [3, 1, 1, 3, 1, 0]
    assert any(name == "heksherlite_build_info" and ("version", __version__) in labels for name, *labels in told.values)


def test_a_database_that_is_away_shows(tmp_path: Path) -> None:
    """While the database is unavailable, the metrics say so and the lag grows."""

    async def look(made: Application) -> None:
        made.store.availability.lost(DatabaseUnavailableError("it is away"), made.store.availability.now())
        made.store.newest_at -= 3600
        told = await scrape_async(made.http)
        assert told("database_up") == 0
        assert told("replica_lag_seconds") >= 3600
        await made.store.load()
        assert (await scrape_async(made.http))("replica_lag_seconds") < 3600

    with_application(tmp_path, look)


def test_faults_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a handler is counted as 500 of its route."""

    async def look(made: Application) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(made.store, "at", None)
            assert (await made.http.get("/api/v1/query?at=1")).status_code == 500
        told = await scrape_async(made.http)
        assert told("http_requests_total", method="GET", route="/api/v1/query", status="500") == 1

    with_application(tmp_path, look)


def test_streams_are_counted_while_open_and_when_they_end(api_alone: Api) -> None:
    """Open streams are a gauge, and ended ones are a counter with a reason."""
    with api_alone.http.stream("GET", "/api/v1/stream"):
        told = scrape(api_alone.http)
        assert told("streams") == 1
        assert told("http_requests_total", method="GET", route="/api/v1/stream", status="200") == 1
    until(lambda: scrape(api_alone.http)("streams") == 0)
    assert scrape(api_alone.http)("streams_ended_total", reason="disconnected") == 1


def test_a_stream_that_nobody_reads_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that ends with unread data has the reason unread."""
    monkeypatch.setattr(stream, "_UNREAD_SECONDS", 0.0)

    async def look(made: Application) -> None:
        lost = asyncio.Event()

        async def receive() -> Message:
            await lost.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                lost.set()
                await asyncio.sleep(0.01)

        scope = {"type": "http", "method": "GET", "path": "/api/v1/stream", "query_string": b"", "headers": []}
        await made.app(scope, receive, send)
        assert (await scrape_async(made.http))("streams_ended_total", reason="unread") == 1

    with_application(tmp_path, look)


def test_scraping_takes_a_token_and_refused_ones_are_counted(tmp_path: Path) -> None:
    """With tokens, metrics require the scope read without a prefix. Refused tokens are counted."""
    path = tmp_path / "a.db"
    reader = make_token(path, "prometheus", Scope.READ)
    writer = make_token(path, "writer", Scope.WRITE)
    limited = make_token(path, "limited", Scope.READ, setting_prefix="a.")
    expired = make_token(path, "expired", Scope.READ, expires_at=2, now=1)
    with embedded(path, access=WITH_TOKENS) as service, httpx.Client(base_url=service.url) as http:
        assert http.get("/metrics").status_code == 401
        for token, status in ((writer, 403), (limited, 403), (expired, 401), ("x", 401), (f"{reader[:-1]}!", 401)):
            assert http.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == status
        response = http.get("/metrics", headers={"Authorization": f"Bearer {reader}"})
    told = Metrics(response.text)
    refused = {
        reason: told("refused_tokens_total", reason=reason) for reason in ("insufficient", "expired", "malformed")
    }
    assert refused == {"insufficient": 2, "expired": 1, "malformed": 2}
    assert "hkl_" not in response.text


def test_openmetrics_is_there_for_who_asks(api_alone: Api) -> None:
    """The header Accept selects the format. Both formats can be parsed."""
    response = api_alone.http.get("/metrics", headers={"Accept": OPENMETRICS})
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(response.text)}  # type: ignore[no-untyped-call]
    assert {"heksherlite_http_requests", "heksherlite_http_request_duration_seconds", "heksherlite_build"} <= names
    plain = api_alone.http.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert plain.headers["vary"] == "accept"


@pytest.mark.parametrize(
    "accept", ["*/*", "", "application/openmetrics-text; version=x.y", 'a;;=,"', "text/plain; version"]
)
def test_any_accept_gets_a_format(api_alone: Api, accept: str) -> None:
    """Any Accept header gets a valid format."""
    assert scrape(api_alone.http, Accept=accept)("revision") == 1


def test_services_of_one_process_count_by_themselves() -> None:
    """Services in one process have separate metrics."""
    with embedded() as one, embedded() as two, httpx.Client() as http:
        for _ in range(3):
            http.get(f"{one.url}/api/health")
        counts = [Metrics(http.get(f"{url}/metrics").text) for url in (one.url, two.url)]
    health = {"method": "GET", "route": "/api/health", "status": "200"}
    assert [count("http_requests_total", **health) for count in counts] == [3, 0]


def reading(revision: int, **values: float) -> MetricsSnapshot:
    totals = Totals(
        responses={ResponseLabels("GET", "/a", 200): Latencies(0.5, [revision] + [0] * len(BOUNDS))},
        writes=revision,
        refused_tokens=Counter(unknown=revision),
    )
    given = {"streams": 1, "reads": 0, "newest_at": 5.0, "database_up": True, "settings": revision, "rules": 0}
    return MetricsSnapshot(totals=totals, revision=revision, **{**given, **values})  # type: ignore[arg-type]


def test_processes_are_told_together() -> None:
    """Counts and streams of processes are added. Of other gauges, the worst value counts."""
    told = merge([reading(3, newest_at=4.0), reading(2), reading(4, database_up=False)])
    assert (told.revision, told.settings, told.streams, told.newest_at, told.database_up) == (2, 2, 3, 4.0, False)
    assert (told.totals.writes, told.totals.refused_tokens) == (9, Counter(unknown=9))
    (latencies,) = told.totals.responses.values()
    assert (latencies.seconds, latencies.counts[0]) == (1.5, 9)


def test_the_directory_has_the_metrics_of_all_processes(tmp_path: Path) -> None:
    """All processes read the same metrics, and a replaced process continues the counts."""
    one, two = MultiprocessDirectory(tmp_path, "0"), MultiprocessDirectory(tmp_path, "1")
    one.publish(reading(1))
    two.publish(reading(2))
    assert one.snapshots() == two.snapshots() == [reading(1), reading(2)]
    MultiprocessDirectory(tmp_path, "0").publish(reading(5))
    assert merge(two.snapshots()).totals == merge([reading(1), reading(2), reading(5)]).totals
    assert merge(two.snapshots()).streams == 2


@pytest.mark.thorough
def test_one_scrape_tells_of_all_workers(tmp_path: Path) -> None:
    """One scrape covers all workers of the machine, and counts never decrease."""
    with process("--database", f"sqlite:///{tmp_path}/a.db", "--workers", "2", TMPDIR=str(tmp_path)) as (running, api):
        health = {"method": "GET", "route": "/api/health", "status": "200"}

        def counted() -> float:
            with httpx.Client(base_url=api.url) as anew:  # which any worker may accept
                return scrape(anew)("http_requests_total", **health)

        seen = []
        for number in range(1, 21):
            assert httpx.get(f"{api.url}/api/health").status_code == 200
            seen.append(counted())
            assert seen[-1] <= number
        assert seen == sorted(seen)
        until(lambda: counted() == 20)
        running.terminate()
        running.wait(30)
    assert not list(tmp_path.glob("heksherlite-workers-*"))
