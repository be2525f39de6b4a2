"""Events and metrics of clients, with the SDK of OpenTelemetry and the library of Prometheus."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from heksherlite import TRACK_ALL, MissingContextError, Setting, ThreadHeksherClient
from heksherlite.clients.observed_lookup import ObservedLookup
from heksherlite.integrations.opentelemetry import instrument
from heksherlite.integrations.prometheus import collect
from heksherlite.lookup import Lookup
from heksherlite.service import embedded
from tests.service.api import FEATURES, Api
from tests.waiting import until

Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Api]:
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def api(shared_service: Api) -> Api:
    """Return a service without settings."""
    shared_service.reset()
    return shared_service


class Collected:
    """What a program with OpenTelemetry collects."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.logs = LoggerProvider()
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])

    def events(self) -> Events:
        """Return the attributes of the events so far, without those that are always the same, and forget them."""
        records = [data.log_record for data in self.exporter.get_finished_logs()]
        self.exporter.clear()
        assert {record.event_name for record in records} <= {"feature_flag.evaluation"}
        found = [dict(record.attributes or {}) for record in records]
        for attributes in found:
            assert attributes.pop("feature_flag.provider.name") == "heksherlite"
            assert str(attributes.pop("feature_flag.set.id")).startswith("http://127.0.0.1:")
        return found

    def metrics(self) -> dict[str, Any]:
        """Return the data point of each metric by its name."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: metric.data.data_points[0]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collected() -> Collected:
    return Collected()


@contextmanager
def running(api: Api, *, push: bool = False, **defaults: Any) -> Iterator[ThreadHeksherClient]:
    client = ThreadHeksherClient(api.url, 1000, FEATURES, push=push)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    client.set_defaults(**defaults)
    with client:
        yield client


def test_each_context_is_one_event_after_each_update(api: Api, collected: Collected) -> None:
    """The first read of a context is an event with the attributes of the conventions, and further reads are none."""
    limit = Setting("limit", int, ["environment", "user"], 60)
    with running(api, environment="dev") as client:
        rule = api.add_rule(5, "limit", user="john")
        client.reload()
        instrument(client, logger_provider=collected.logs, context_id_feature="user")
        revision = str(api.revision())
        assert [limit.get(user=user) for user in ("john", "jane", "john", "jane")] == [5, 60, 5, 60]
        of_all = {"feature_flag.key": "limit", "feature_flag.version": revision}
        assert collected.events() == [
            {
                **of_all,
                "feature_flag.context.id": "john",
                "feature_flag.result.variant": f"rule:{rule}",
                "feature_flag.result.reason": "targeting_match",
            },
            {
                **of_all,
                "feature_flag.context.id": "jane",
                "feature_flag.result.variant": "default",
                "feature_flag.result.reason": "default",
            },
        ]
        api.call("PUT", f"rules/{rule}/value", {"value": 6})
        client.reload()
        assert [limit.get(user="john") for _ in range(3)] == [6, 6, 6]
        (event,) = collected.events()
        assert event["feature_flag.version"] == str(int(revision) + 1)


def test_reads_of_context_variables_are_one_event_each_context(api: Api, collected: Collected) -> None:
    """A context variable with few values causes few events, though its reads are not cached under one key."""
    user: ContextVar[str] = ContextVar("user")
    limit = Setting("limit", int, ["user"], 60)
    with running(api, user=user) as client:
        instrument(client, logger_provider=collected.logs, context_id_feature="user")

        async def read(name: str) -> None:
            user.set(name)
            for _ in range(3):
                limit.get()

        for name in ("john", "jane", "john"):
            asyncio.run(read(name))
        assert [event["feature_flag.context.id"] for event in collected.events()] == ["john", "jane"]


def test_operators_defaults_no_rules_and_errors(api: Api, collected: Collected) -> None:
    """A setting without rules is static, an operator's default has its variant, and a read that fails is an event."""
    limit = Setting("limit", int, ["user"], 60)
    with running(api) as client:
        operation = {"op": "set_default", "setting": "limit", "value": 70}
        api.call("POST", "changes", {"operations": [operation]}).raise_for_status()
        client.reload()
        instrument(client, logger_provider=collected.logs)
        assert limit.get(user="john") == 70
        for _ in range(2):
            with pytest.raises(MissingContextError):
                limit.get()
        static, failed = collected.events()
        assert static["feature_flag.result.reason"] == "static"
        assert static["feature_flag.result.variant"] == "operator_default"
        assert failed["feature_flag.result.reason"] == "error"
        assert failed["error.type"] == "invalid_context"


def test_every_read_and_chosen_settings(api: Api, collected: Collected) -> None:
    """With every_read, each read of the chosen settings is an event; others are none, nor is any after stop."""
    chosen, other = Setting("chosen", int, ["user"], 1), Setting("other", int, ["user"], 2)
    with running(api) as client:
        instrumentation = instrument(client, settings=[chosen], every_read=True, logger_provider=collected.logs)
        for _ in range(3):
            assert (chosen.get(user="john"), other.get(user="john")) == (1, 2)
        assert [event["feature_flag.key"] for event in collected.events()] == ["chosen"] * 3
        instrumentation.stop()
        assert chosen.get(user="john") == 1
        assert collected.events() == []
        assert type(chosen._lookup) is Lookup


def test_settings_that_are_added_later_are_observed_too(api: Api, collected: Collected) -> None:
    """A setting that is created after instrument is observed as well."""
    with running(api) as client:
        instrument(client, logger_provider=collected.logs)
        late = Setting("late", int, ["user"], 1)
        client.reload()
        assert late.get(user="john") == 1
        assert [event["feature_flag.key"] for event in collected.events()] == ["late"]


def test_a_cached_read_runs_no_python_of_the_observer() -> None:
    """The look-up of a cached value is that of a dict."""
    assert ObservedLookup.__getitem__ is dict.__getitem__


def test_a_failing_exporter_does_not_reach_the_reader(
    api: Api, collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    """A read succeeds although its event cannot be sent, which is logged once."""
    limit = Setting("limit", int, ["user"], 60)

    class Broken(LoggerProvider):
        def get_logger(self, *args: Any, **options: Any) -> Any:
            real = super().get_logger(*args, **options)

            def fail(**_: Any) -> None:
                raise OSError("the exporter is broken")

            real.emit = fail  # type: ignore[method-assign,assignment]
            return real

    with running(api) as client:
        broken = Broken()
        broken.add_log_record_processor(SimpleLogRecordProcessor(collected.exporter))
        instrument(client, logger_provider=broken)
        assert [limit.get(user=user) for user in ("john", "jane")] == [60, 60]
    records = [record for record in caplog.records if "could not be sent" in record.getMessage()]
    assert len(records) == 1


def test_metrics_of_opentelemetry(api: Api, collected: Collected) -> None:
    """The metrics are the age of the values, the updates, the failures, and the delays of changes."""
    limit = Setting("limit", int, ["user"], 60)
    with running(api, push=True) as client:
        instrument(client, meter_provider=collected.meters)
        until(lambda: client.status.streaming)
        api.add_rule(5, "limit", user="john")
        until(lambda: limit.get(user="john") == 5)
        until(lambda: "heksherlite.client.delay" in collected.metrics())
        found = collected.metrics()
        assert found["heksherlite.client.delay"].count == 1
        assert 0 <= found["heksherlite.client.delay"].sum < 60
        assert found["heksherlite.client.updates"].value >= 2
        assert found["heksherlite.client.failures"].value == 0
        assert 0 <= found["heksherlite.client.age"].value < 60
        assert found["heksherlite.client.age"].attributes == {"heksherlite.service": api.url}


def test_metrics_of_prometheus(api: Api) -> None:
    """The collector has the same metrics and the state; a second client needs another registry."""
    limit = Setting("limit", int, ["user"], 60)
    registry = CollectorRegistry(auto_describe=True)  # as that of the process
    with running(api, push=True) as client:
        collector = collect(client, registry)
        with pytest.raises(ValueError, match="Duplicated"):
            collect(client, registry)
        until(lambda: client.status.streaming)
        api.add_rule(5, "limit", user="john")
        until(lambda: limit.get(user="john") == 5)
        of_client = {"service": api.url}
        until(lambda: registry.get_sample_value("heksherlite_client_delay_seconds_count", of_client) == 1)
        assert registry.get_sample_value("heksherlite_client_state", {**of_client, "state": "fresh"}) == 1
        assert registry.get_sample_value("heksherlite_client_streaming", of_client) == 1
        assert registry.get_sample_value("heksherlite_client_problems", {**of_client, "kind": "undeclared"}) == 0
        updates = registry.get_sample_value("heksherlite_client_updates_total", of_client)
        assert updates is not None
        assert updates >= 2
        collector.stop()
        assert registry.get_sample_value("heksherlite_client_updates_total", of_client) is None


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("opentelemetry", "opentelemetry", "opentelemetry"), ("prometheus", "prometheus_client", "prometheus")],
)
def test_the_extra_is_named_where_the_package_is_missing(module: str, package: str, extra: str) -> None:
    """Without the package, the import fails with the name of the extra."""
    code = f"import sys; sys.modules[{package!r}] = None\nimport heksherlite.integrations.{module}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"pip install 'heksherlite[{extra}]'" in result.stderr
