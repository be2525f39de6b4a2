"""What OpenFeature's specification requires of a provider, with the SDK's own client and a real service.

The numbers are those of the requirements: 2.x is the provider, 3.x the context, 4.x hooks, and 5.x events.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.hook import Hook, HookContext
from openfeature.provider import ProviderStatus
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient, pinned
from heksherlite.integrations.openfeature import HeksherProvider
from heksherlite.service import embedded
from tests.integrations.flags import VALUES, declare_all
from tests.service.api import FEATURES, Api
from tests.waiting import until, until_async

JOHN = EvaluationContext(attributes={"user": "john"})
METHODS = {
    "a_boolean": "boolean",
    "a_string": "string",
    "an_enum": "string",
    "an_integer": "integer",
    "a_float": "float",
    "flags": "object",
    "a_sequence": "object",
    "a_mapping": "object",
    "a_json": "object",
}
CODE_DEFAULTS: dict[str, Any] = {"boolean": True, "string": "code", "integer": 99, "float": 9.5, "object": {"code": 1}}


@pytest.fixture(scope="module")
def flags() -> Iterator[tuple[Api, dict[str, int]]]:
    """Return a service with a flag of each type, which the tests leave as it is, and the ids of the rules."""
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api, declare_all(api)


@pytest.fixture(scope="module")
def url_provider(flags: tuple[Api, dict[str, int]]) -> Iterator[HeksherProvider]:
    """Return a provider with a client of its own."""
    provider = HeksherProvider(url=flags[0].url, targeting_key_feature="user")
    provider.initialize(EvaluationContext())
    yield provider
    provider.shutdown()


@pytest.fixture
def own(shared_service: Api) -> Api:
    """Return a service without settings."""
    shared_service.reset()
    return shared_service


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Api]:
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    openfeature.clear_providers()
    openfeature.clear_hooks()
    openfeature.set_evaluation_context(EvaluationContext())


@pytest.fixture
def client(url_provider: HeksherProvider) -> OpenFeatureClient:
    """Return a client of the SDK, whose provider knows the flags."""
    openfeature.set_provider_and_wait(_Unending(url_provider))
    return openfeature.get_client()


class _Unending(HeksherProvider):
    """A provider that shares the client of another one, and leaves it running."""

    def __init__(self, provider: HeksherProvider) -> None:
        super().__init__(provider._client, targeting_key_feature="user")


@contextmanager
def following(api: Api, **defaults: Any) -> Iterator[ThreadHeksherClient]:
    """Run a thread client that tracks everything, and polls only when it is told to."""
    client = ThreadHeksherClient(api.url, 1000, FEATURES, push=False)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    client.set_defaults(**defaults)
    with client:
        yield client


def details(client: OpenFeatureClient, name: str, context: EvaluationContext | None) -> FlagEvaluationDetails[Any]:
    method = METHODS[name]
    result: FlagEvaluationDetails[Any] = getattr(client, f"get_{method}_details")(name, CODE_DEFAULTS[method], context)
    return result


@pytest.mark.parametrize("name", VALUES)
def test_every_type_resolves_by_a_rule(name: str, client: OpenFeatureClient, flags: tuple[Api, dict[str, int]]) -> None:
    """2.2.1, 2.2.3 to 2.2.5, 2.2.8.1 and 2.2.9: the value, variant, reason and metadata of a rule, and no error."""
    found = details(client, name, JOHN)
    assert found.error_code is None
    assert found.value == VALUES[name][2]
    assert found.reason == Reason.TARGETING_MATCH
    assert found.variant == f"rule:{flags[1][name]}"
    assert found.flag_metadata["rule_id"] == flags[1][name]
    assert found.flag_metadata["setting_version"] == "1.0"
    assert found.flag_metadata["revision"] == flags[0].revision()


@pytest.mark.parametrize("name", VALUES)
def test_every_type_resolves_to_the_default_of_the_service(name: str, client: OpenFeatureClient) -> None:
    """2.2.5: where no rule matches, the reason is DEFAULT, and the value that of the service, not of the code."""
    found = details(client, name, EvaluationContext("jane"))
    assert (found.value, found.reason, found.variant) == (VALUES[name][1], Reason.DEFAULT, "default")


def test_numbers_convert_where_nothing_is_lost(own: Api) -> None:
    """2.2.2.1: an int flag is also a float, and a float flag without fraction also an int; a float flag is a float."""
    own.declare("whole", type="int", default_value=3)
    own.declare("float", type="float", default_value=5)
    own.declare("fraction", type="float", default_value=5.5)
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        assert type(client.get_float_value("whole", 0.0)) is float
        assert client.get_integer_value("float", 0) == 5
        assert type(client.get_float_value("float", 0.0)) is float
        assert client.get_integer_details("fraction", 7).error_code is ErrorCode.TYPE_MISMATCH


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("method", CODE_DEFAULTS)
def test_another_type_is_a_mismatch(name: str, method: str, client: OpenFeatureClient) -> None:
    """2.2.7: a flag of another type is an error, with the default of the code and a message that says the type."""
    fits = {METHODS[name]} | ({"integer", "float"} if name in {"an_integer", "a_float"} else set())
    found = getattr(client, f"get_{method}_details")(name, CODE_DEFAULTS[method], JOHN)
    if method in fits:
        assert found.error_code is None
    else:
        assert found.error_code is ErrorCode.TYPE_MISMATCH
        assert found.value == CODE_DEFAULTS[method]
        assert found.reason == Reason.ERROR
        assert "has the type" in found.error_message


def test_an_unknown_flag_is_not_found(client: OpenFeatureClient) -> None:
    """2.2.7: an unknown flag is FLAG_NOT_FOUND, has the default of the code, and the message has the nearest name."""
    found = client.get_boolean_details("a_bolean", default_value=True)
    assert (found.value, found.error_code, found.reason) == (True, ErrorCode.FLAG_NOT_FOUND, Reason.ERROR)
    assert found.error_message == "the service has no setting 'a_bolean'; did you mean 'a_boolean'?"


def test_missing_context_is_named(client: OpenFeatureClient) -> None:
    """2.2.7: a context without a needed feature is an error that names it; it is the targeting key here."""
    found = client.get_boolean_details("a_boolean", default_value=True)
    assert found.error_code is ErrorCode.TARGETING_KEY_MISSING
    assert "'user'" in (found.error_message or "")


def test_attributes_become_text_or_are_refused(own: Api) -> None:
    """3.1.2: integers and booleans are converted; others have no obvious text; attributes of no feature are free."""
    own.declare("limit", configurable_features=["environment", "user"])
    own.add_rule(5, "limit", user="7", environment="dev")
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        good = EvaluationContext(attributes={"user": 7, "environment": "dev", "other": [1.5]})
        assert client.get_integer_value("limit", 0, good) == 5
        own.add_rule(6, "limit", user="true", environment="dev")
        main.reload()
        boolean = EvaluationContext(attributes={"user": True, "environment": "dev"})
        assert client.get_integer_value("limit", 0, boolean) == 6
        missing = client.get_integer_details("limit", 0, EvaluationContext(attributes={"user": "7"}))
        assert missing.error_code is ErrorCode.INVALID_CONTEXT
        assert "'environment'" in (missing.error_message or "")
        bad = client.get_integer_details("limit", 0, EvaluationContext(attributes={"user": 1.5, "environment": "dev"}))
        assert bad.error_code is ErrorCode.INVALID_CONTEXT
        assert "1.5" in (bad.error_message or "")


def test_defaults_of_the_client_complete_a_context(own: Api) -> None:
    """Constant defaults and context variables of the client stand in for attributes, and attributes win over them."""
    variable: ContextVar[str] = ContextVar("variable")
    own.declare("limit", configurable_features=["environment", "user"])
    own.add_rule(5, "limit", user="john", environment="dev")
    with following(own, environment="dev", user=variable) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        token = variable.set("john")
        assert client.get_integer_value("limit", 0) == 5
        assert client.get_integer_value("limit", 0, EvaluationContext(attributes={"user": "jane"})) == 60
        variable.reset(token)


def test_no_rules_are_static_and_need_no_context(own: Api) -> None:
    """A flag without rules has the reason STATIC; an operator's default is another variant."""
    own.declare("limit")
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        found = client.get_integer_details("limit", 0)
        assert (found.value, found.reason, found.variant) == (60, Reason.STATIC, "default")
        operation = {"op": "set_default", "setting": "limit", "value": 70}
        own.call("POST", "changes", {"operations": [operation]}).raise_for_status()
        main.reload()
        found = client.get_integer_details("limit", 0)
        assert (found.value, found.reason, found.variant) == (70, Reason.STATIC, "operator_default")


def test_contexts_of_all_layers_are_merged(client: OpenFeatureClient) -> None:
    """3.2.3: the invocation wins over the client, it over the transaction, and the transaction over the API."""
    openfeature.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())

    def value() -> bool:
        return client.get_boolean_value("a_boolean", default_value=False)

    openfeature.set_evaluation_context(JOHN)
    assert value()
    openfeature.set_transaction_context(EvaluationContext(attributes={"user": "jane"}))
    assert not value()
    client.context = JOHN
    assert value()
    assert not client.get_boolean_value("a_boolean", True, EvaluationContext(attributes={"user": "jane"}))
    openfeature.set_transaction_context(EvaluationContext())


def test_hooks_run_around_an_evaluation(client: OpenFeatureClient) -> None:
    """4.3 and 2.3.1: a before hook can change the context, and the others see the result of the provider."""
    seen: list[Any] = []

    class Watching(Hook):
        def before(self, hook_context: HookContext, hints: Any) -> EvaluationContext:
            del hints
            seen.append(hook_context.provider_metadata.name if hook_context.provider_metadata else None)
            return JOHN

        def after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: Any) -> None:
            del hook_context, hints
            seen.append(details.reason)

    client.add_hooks([Watching()])
    assert client.get_boolean_value("a_boolean", default_value=False)
    assert seen == ["heksherlite", Reason.TARGETING_MATCH]


def test_the_asynchronous_methods_do_the_same(client: OpenFeatureClient) -> None:
    """Each type resolves through the asynchronous methods too."""

    async def values() -> list[Any]:
        return [
            await getattr(client, f"get_{METHODS[name]}_value_async")(name, CODE_DEFAULTS[METHODS[name]], JOHN)
            for name in VALUES
        ]

    assert asyncio.run(values()) == [value for _, _, value in VALUES.values()]


def test_a_value_that_the_program_changes_stays_as_it_is(client: OpenFeatureClient) -> None:
    """The provider hands out copies of lists and objects."""
    value: Any = client.get_object_value("a_json", {}, JOHN)
    value["b"].clear()
    assert client.get_object_value("a_json", {}, JOHN) == VALUES["a_json"][2]


def test_an_alias_is_the_same_flag(own: Api) -> None:
    """A setting resolves by its alias, and after it was renamed by both names."""
    own.declare("old_name")
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        own.call("PUT", "settings/old_name/name", {"name": "new_name", "version": "1.1"}).raise_for_status()
        main.reload()
        client = openfeature.get_client()
        assert [client.get_integer_value(name, 0) for name in ("old_name", "new_name")] == [60, 60]


class Events:
    """The events of a client of the SDK."""

    def __init__(self, client: OpenFeatureClient) -> None:
        self.seen: list[tuple[str, EventDetails]] = []
        for event in ProviderEvent:
            client.add_handler(event, self._handler(event))

    def _handler(self, event: ProviderEvent) -> Callable[[EventDetails], None]:
        def handle(details: EventDetails) -> None:
            if details.provider_name == "heksherlite":  # the SDK's own provider is ready at once
                self.seen.append((event.name.removeprefix("PROVIDER_"), details))

        return handle

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


def test_changes_are_events_with_the_names(own: Api) -> None:
    """5.1 and 5.3: ready comes once, and each update with changes is one event, with the flags that changed."""
    for name in ("one", "two", "three"):
        own.declare(name)
    with following(own) as main:
        client = openfeature.get_client()
        events = Events(client)
        openfeature.set_provider_and_wait(HeksherProvider(main))
        until(lambda: "READY" in events.names)
        rule = own.add_rule(5, "one", user="john")
        own.declare("four")
        own.call("DELETE", "settings/two").raise_for_status()
        main.reload()
        until(lambda: "CONFIGURATION_CHANGED" in events.names)
        main.reload()
        own.call("DELETE", f"rules/{rule}").raise_for_status()
        main.reload()
        until(lambda: len(events.seen) >= 3)
        assert events.names == ["READY", "CONFIGURATION_CHANGED", "CONFIGURATION_CHANGED"]
        assert [details.flags_changed for _, details in events.seen[1:]] == [["four", "one", "two"], ["one"]]
        assert client.get_integer_details("two", 0).error_code is ErrorCode.FLAG_NOT_FOUND


def test_only_changed_settings_are_transferred(own: Api) -> None:
    """One changed rule is a partial response and one look-up; a change of the type takes effect with it."""
    for number in range(5):
        own.declare(f"s{number}")
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        requests: list[str] = []
        send = main._transport.send_all

        async def noting(asked: Any) -> Any:
            asked = list(asked)
            outcomes = await send(asked)
            requests.extend(
                f"{request.path} {getattr(outcome, 'status', outcome)}"
                for request, outcome in zip(asked, outcomes, strict=True)
            )
            return outcomes

        main._transport.send_all = noting  # type: ignore[assignment]
        assert own.declare("s3", type="float", version="2.0").json()["outcome"] == "upgraded"
        main.reload()
        assert requests[-2:] == ["/api/v1/query 226", "/api/v1/settings/s3 200"]
        assert type(openfeature.get_client().get_float_value("s3", 0.0)) is float
        requests.clear()
        main.reload()
        assert requests[-1:] == ["/api/v1/query 304"]


def test_an_outage_is_stale_and_ends(own: Api) -> None:
    """5.3: while updates fail, the provider is stale and keeps its values, then it is ready: one event each."""
    own.declare("limit", configurable_features=["user"])
    own.add_rule(5, "limit", user="john")
    with following(own) as main:
        client = openfeature.get_client()
        events = Events(client)
        openfeature.set_provider_and_wait(HeksherProvider(main))
        until(lambda: events.names == ["READY"])
        with _unreachable(main):
            main.reload()
            main.reload()
            until(lambda: "STALE" in events.names)
            assert client.get_provider_status() is ProviderStatus.STALE
            found = client.get_integer_details("limit", 0, JOHN)
            assert (found.value, found.reason) == (5, Reason.STALE)
        main.reload()
        until(lambda: events.names.count("READY") == 2)
        assert events.names == ["READY", "STALE", "READY"]
        assert client.get_integer_details("limit", 0, JOHN).reason == Reason.TARGETING_MATCH


@contextmanager
def _unreachable(client: ThreadHeksherClient) -> Iterator[None]:
    send = client._transport.send_all

    async def fail(requests: Any) -> list[Exception]:
        return [ConnectionRefusedError("nobody listens") for _ in requests]

    client._transport.send_all = fail  # type: ignore[assignment]
    yield
    client._transport.send_all = send  # type: ignore[method-assign]


def test_a_provider_that_cannot_start_is_an_error_until_it_can() -> None:
    """2.4.2.1, 5.3.2 and 1.7.6: without service it is not ready, says so in an event, and resolves nothing."""
    provider = HeksherProvider(url="http://127.0.0.1:9", startup_timeout=0.2)
    client = openfeature.get_client()
    events = Events(client)
    with pytest.raises(ProviderNotReadyError, match="are not known yet: Connect"):
        openfeature.set_provider_and_wait(provider)
    until(lambda: "ERROR" in events.names)
    assert client.get_provider_status() is ProviderStatus.ERROR
    found = client.get_boolean_details("a_boolean", default_value=True)
    assert (found.value, found.error_code) == (True, ErrorCode.PROVIDER_NOT_READY)


def test_a_client_in_this_event_loop_becomes_ready_without_waiting(own: Api) -> None:
    """Waiting in the client's own event loop is refused at once; the provider becomes ready all the same."""
    own.declare("limit")

    async def run() -> None:
        main = AsyncHeksherClient(own.url, 1000, FEATURES, push=False)
        main.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
        async with main:
            client = openfeature.get_client()
            with pytest.raises(ProviderNotReadyError, match="call set_provider, which does not wait"):
                openfeature.set_provider_and_wait(HeksherProvider(main))
            await until_async(lambda: client.get_provider_status() is ProviderStatus.READY)
            assert await client.get_integer_value_async("limit", 0) == 60

    asyncio.run(run())


def test_a_client_that_was_not_started_is_named(own: Api) -> None:
    """A provider whose client is not running says what to do."""
    main = ThreadHeksherClient(own.url, 1000, FEATURES)
    with pytest.raises(ProviderNotReadyError, match=r"call set_as_main\(\) first"):
        openfeature.set_provider_and_wait(HeksherProvider(main, startup_timeout=0.01))


def test_the_provider_declares_nothing(own: Api) -> None:
    """A provider only reads, beside settings that the program declares in its own way."""
    own.declare("foreign")
    limit = Setting("limit", int, ["user"], 1)
    with following(own) as main:
        before = own.revision()
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        assert [client.get_integer_value(name, 0, JOHN) for name in ("foreign", "limit")] == [60, 1]
        assert own.revision() == before
        assert limit.get(user="john") == 1


def test_shutdown_leaves_the_client_of_the_program_and_ends_its_own(own: Api) -> None:
    """2.5: after shutdown, the provider's own client is closed, and no event comes from the program's."""
    own.declare("limit")
    provider = HeksherProvider(url=own.url)
    openfeature.set_provider_and_wait(provider)
    openfeature.shutdown()
    assert provider._client.status.state == "closed"
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        openfeature.shutdown()
        assert main.status.state == "fresh"
        assert main._engine.all_settings is not None
        assert main._engine.all_settings.observers == ()


def test_changes_arrive_by_the_stream(own: Api) -> None:
    """With push, a setting that appears is a flag without any poll, though the program declares no setting."""
    provider = HeksherProvider(url=own.url, update_interval=1000)
    openfeature.set_provider_and_wait(provider)
    until(lambda: provider._client.status.streaming)
    own.declare("limit")
    client = openfeature.get_client()
    until(lambda: client.get_integer_value("limit", 0) == 60)


@pytest.mark.thorough
def test_resolution_in_many_threads_sees_whole_updates(own: Api) -> None:
    """Threads that resolve during updates only see values that were in force."""
    own.declare("limit", configurable_features=["user"])
    rule = own.add_rule(1, "limit", user="john")
    with following(own) as main:
        openfeature.set_provider_and_wait(HeksherProvider(main))
        client = openfeature.get_client()
        seen: set[int] = set()
        done = threading.Event()

        def resolve() -> None:
            while not done.is_set():
                seen.add(client.get_integer_value("limit", 0, JOHN))

        threads = [threading.Thread(target=resolve) for _ in range(2)]
        for thread in threads:
            thread.start()
        for value in range(2, 12):
            own.call("PUT", f"rules/{rule}/value", {"value": value}).raise_for_status()
            main.reload()
            assert client.get_integer_value("limit", 0, JOHN) == value
        done.set()
        for thread in threads:
            thread.join()
        assert seen <= set(range(1, 12))


def test_resolution_in_a_block_is_of_one_update(own: Api) -> None:
    """Within pinned(), all flags are as they were when the block began: those that changed, came and went."""
    for name in ("one", "two"):
        own.declare(name)
    with following(own, environment="dev", theme="dark") as main:
        openfeature.set_provider_and_wait(HeksherProvider(main, targeting_key_feature="user"))
        client = openfeature.get_client()

        def resolved() -> list[tuple[int, ErrorCode | None, object]]:
            names = ("one", "two", "three")
            found = [client.get_integer_details(name, 0, EvaluationContext("john")) for name in names]
            return [(one.value, one.error_code, one.flag_metadata.get("revision")) for one in found]

        def changed_within_a_block(change: Callable[[], object]) -> None:
            with pinned():
                before = resolved()
                change()
                main.reload()
                with pinned():
                    assert resolved() == before
            assert resolved() != before

        changed_within_a_block(lambda: own.add_rule(3, "one", user="john"))
        changed_within_a_block(lambda: own.declare("three"))
        assert [value for value, *_ in resolved()] == [3, 60, 60]
        changed_within_a_block(lambda: own.call("DELETE", "settings/one").raise_for_status())
        assert resolved()[0][1] is ErrorCode.FLAG_NOT_FOUND


def test_the_extra_is_named_where_the_sdk_is_missing() -> None:
    """Without the SDK, the import fails with the name of the extra."""
    code = "import sys; sys.modules['openfeature'] = None\nimport heksherlite.integrations.openfeature"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'heksherlite[openfeature]'" in result.stderr


@pytest.mark.parametrize(
    "arguments", [{}, {"client": ThreadHeksherClient("http://localhost", 1, []), "url": "http://localhost"}]
)
def test_client_or_url(arguments: dict[str, Any]) -> None:
    """There is either a client or a URL."""
    with pytest.raises(TypeError, match="either a client or a url"):
        HeksherProvider(**arguments)


@pytest.mark.thorough
def test_a_forked_process_resolves_and_hears_of_changes(own: Api) -> None:
    """A provider that was initialized before a fork keeps its values in the child, and follows changes there."""
    own.declare("limit", configurable_features=["user"])
    rule = own.add_rule(1, "limit", user="john")
    program = Path(__file__).with_name("forked_provider.py")
    with subprocess.Popen(
        [sys.executable, program, own.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        own.call("PUT", f"rules/{rule}/value", {"value": 2}).raise_for_status()
        assert process.communicate(timeout=60)[0] == "2\n"
    assert process.returncode == 0


def test_only_a_client_is_a_client() -> None:
    """A URL in its place has an argument of its own."""
    wrong: Any = "http://127.0.0.1:8888"
    with pytest.raises(TypeError, match=r"HeksherProvider needs a client, or url=..., not 'http://127.0.0.1:8888'"):
        HeksherProvider(wrong)


def test_a_misspelled_feature_of_the_targeting_key() -> None:
    """It would be a condition of no rule, so it is refused with the right name."""
    client = ThreadHeksherClient("http://127.0.0.1:9", 60, ["environment", "user"])
    with pytest.raises(ValueError, match="'usr' is not a context feature of the client; did you mean 'user'"):
        HeksherProvider(client, targeting_key_feature="usr")
