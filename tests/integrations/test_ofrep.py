"""OFREP in the service, version 0.3.0 of the protocol, and the official Python provider for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from heksherlite.admin import AdminClient, SetClientVisible, SetValue
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.integrations.flags import VALUES, declare_all
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

SITE = "https://shop.example.com"
FLAG = "/ofrep/v1/evaluate/flags"
JOHN = {"context": {"targetingKey": "john"}}


class Flags:
    """A service with a flag of each type, and clients with different tokens."""

    def __init__(self, api: Api, browser: httpx.Client, rules: dict[str, int], tokens: dict[str, str]) -> None:
        self.api = api
        self.browser = browser
        self.rules = rules
        self.tokens = tokens

    def evaluate(self, key: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.api.http.post(f"{FLAG}/{key}", json=body, **options)

    def evaluate_all(self, body: Any = None, **options: Any) -> httpx.Response:
        return self.api.http.post(FLAG, json=body, **options)


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flags]:
    path = tmp_path_factory.mktemp("ofrep") / "a.db"
    tokens = {
        "everything": make_token(path, "everything", *EVERY_SCOPE),
        "evaluate": make_token(path, "browsers", Scope.EVALUATE),
        "declare": make_token(path, "declare", Scope.DECLARE),
    }
    with embedded(
        path, access=WITH_TOKENS, context_features=FEATURES, cors_origins=[SITE], targeting_key_feature="user"
    ) as running:
        api = Api(running.url, token=tokens["everything"])
        headers = {"Authorization": f"Bearer {tokens['evaluate']}"}
        with api.http, httpx.Client(base_url=running.url, headers=headers) as browser:
            yield Flags(api, browser, declare_all(api), tokens)


@pytest.mark.parametrize("name", VALUES)
def test_every_type_is_complete(name: str, flags: Flags) -> None:
    """Each answer has the key, the value, the reason, the variant, and the metadata."""
    wire_type, default, value = VALUES[name]
    response = flags.evaluate(name, JOHN)
    rule = flags.rules[name]
    answer = response.json()
    metadata = answer.pop("metadata")
    assert answer == {"key": name, "value": value, "reason": "TARGETING_MATCH", "variant": f"rule:{rule}"}
    assert {**metadata, "version": 0} == {"version": 0, "settingVersion": "1.0", "ruleId": rule}
    assert 0 < metadata["version"] <= flags.api.revision()
    if wire_type == "float":
        assert b'"value":5.0' in response.content
    other = flags.evaluate(name, {"context": {"user": "jane"}}).json()
    assert (other["value"], other["reason"], other["variant"]) == (default, "DEFAULT", "default")


def test_floats_have_a_fraction_also_inside(flags: Flags) -> None:
    """Floats in sequences have a fraction too."""
    assert b'"value":[2.0,3.0]' in flags.evaluate("a_sequence", JOHN).content


def test_large_integers_are_exact(flags: Flags) -> None:
    """Integers beyond 2^53 - 1 are sent as they are."""
    flags.api.declare("large", default_value=2**63 - 1)
    assert b'"value":9223372036854775807' in flags.evaluate("large").content
    flags.api.call("DELETE", "settings/large")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"context":{}}', b'{"context":null}', b'{"context":{"other":[1]}}'])
def test_nothing_is_needed_without_rules(body: bytes, flags: Flags) -> None:
    """An empty body, and a context without what nothing needs, are fine. The reason is STATIC."""
    flags.api.declare("plain")
    answer = flags.api.http.post(f"{FLAG}/plain", content=body).json()
    assert (answer["value"], answer["reason"], answer["variant"]) == (60, "STATIC", "default")


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"{", "PARSE_ERROR", "not JSON"),
        (b"[]", "PARSE_ERROR", "not an object"),
        (b'{"context":[]}', "INVALID_CONTEXT", "not an object"),
        (b'{"context":{"targetingKey":1}}', "INVALID_CONTEXT", "targetingKey is not a string"),
        (b'{"context":{"user":1.5}}', "INVALID_CONTEXT", "'user' of flag 'a_boolean' cannot be 1.5"),
        (b"{}", "TARGETING_KEY_MISSING", "'user'"),
    ],
)
def test_errors_say_what_is_wrong(body: bytes, code: str, text: str, flags: Flags) -> None:
    """A request that cannot be answered is 400, with the key, a code, and details."""
    response = flags.api.http.post(f"{FLAG}/a_boolean", content=body)
    assert response.status_code == 400
    error = response.json()
    assert (error["key"], error["errorCode"]) == ("a_boolean", code)
    assert text in error["errorDetails"]


def test_missing_features_are_named(flags: Flags) -> None:
    """A context feature that is missing beside the targeting key is INVALID_CONTEXT."""
    flags.api.declare("two")
    flags.api.add_rule(5, "two", environment="dev")
    error = flags.evaluate("two").json()
    assert (error["errorCode"], error["key"]) == ("INVALID_CONTEXT", "two")
    assert "'environment', 'user'" in error["errorDetails"]


def test_booleans_are_text(flags: Flags) -> None:
    """A boolean attribute matches a rule for the text that JSON has for it."""
    flags.api.declare("beta", configurable_features=["user"])
    flags.api.add_rule(5, "beta", user="false")
    assert [flags.evaluate("beta", {"context": {"user": user}}).json()["value"] for user in (False, "false", True)] == [
        5,
        5,
        60,
    ]


def test_unknown_flags_are_not_found(flags: Flags) -> None:
    """An unknown flag is 404, with details."""
    response = flags.evaluate("unknown", JOHN)
    assert (response.status_code, response.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert response.json()["errorDetails"] == "there is no flag 'unknown'"


def test_an_alias_is_answered_under_its_name(flags: Flags) -> None:
    """A flag that is called by an alias has this key in the answer."""
    flags.api.declare("old_flag")
    flags.api.call("PUT", "settings/old_flag/name", {"name": "new_flag", "version": "1.1"}).raise_for_status()
    assert [flags.evaluate(name).json()["key"] for name in ("old_flag", "new_flag")] == ["old_flag", "new_flag"]


def test_all_flags_at_once(flags: Flags) -> None:
    """The bulk answer has each flag as the single one does, and the errors of flags in their items."""
    found = {item["key"]: item for item in flags.evaluate_all(JOHN).json()["flags"]}
    for name in VALUES:
        assert found[name] == flags.evaluate(name, JOHN).json()
    flags.api.declare("needs_theme", configurable_features=["theme"])
    flags.api.add_rule(5, "needs_theme", theme="dark")
    found = {item["key"]: item for item in flags.evaluate_all(JOHN).json()["flags"]}
    assert found["needs_theme"] == flags.evaluate("needs_theme", JOHN).json()
    assert found["needs_theme"]["errorCode"] == "INVALID_CONTEXT"
    assert flags.api.http.post(FLAG, content=b"[]").json()["errorCode"] == "PARSE_ERROR"


def test_the_tag_is_of_revision_and_context(flags: Flags) -> None:
    """An unchanged answer is 304; another context, a change, and another token have another tag."""
    first = flags.evaluate_all(JOHN)
    tag = first.headers["etag"]
    again = {"If-None-Match": tag}
    unchanged = flags.evaluate_all({"context": {"targetingKey": "john", "other": 1}}, headers=again)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    assert flags.evaluate_all({"context": {"targetingKey": "jane"}}, headers=again).status_code == 200
    assert flags.browser.post(FLAG, json=JOHN, headers=again).status_code == 200
    flags.api.declare("another")
    assert flags.evaluate_all(JOHN, headers=again).status_code == 200


def test_browsers_see_only_what_is_visible(flags: Flags) -> None:
    """A token with the scope evaluate sees values of visible settings, and nothing else of the service."""
    with AdminClient(flags.api.url, token=flags.tokens["everything"]) as admin:
        assert flags.browser.post(FLAG, json=JOHN).json()["flags"] == []
        assert flags.browser.post(f"{FLAG}/a_boolean", json=JOHN).status_code == 404
        dry = admin.change([SetClientVisible(setting="a_boolean", client_visible=True)], dry_run=True)
        assert not admin.setting("a_boolean").client_visible
        admin.change([SetClientVisible(setting="a_boolean", client_visible=True)], base_revision=dry.revision)
        assert admin.setting("a_boolean").client_visible
        (item,) = flags.browser.post(FLAG, json=JOHN).json()["flags"]
        assert item == flags.browser.post(f"{FLAG}/a_boolean", json=JOHN).json()
        for path in ("/api/v1/query", "/api/v1/settings", "/api/v1/stream", "/api/v1/history"):
            assert flags.browser.get(path).status_code == 403
        revision = flags.api.revision()
        flags.api.call("POST", f"history/{revision}/revert").raise_for_status()
        assert not admin.setting("a_boolean").client_visible
        assert flags.browser.post(FLAG, json=JOHN).json()["flags"] == []


def test_other_tokens_are_refused_in_the_words_of_the_protocol(flags: Flags) -> None:
    """No token is 401, and a token without the scope is 403; both say why."""
    for token, status in ((None, 401), (flags.tokens["declare"], 403)):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = httpx.post(flags.api.url + FLAG, json=JOHN, headers=headers)
        assert (response.status_code, response.json()["errorCode"]) == (status, "GENERAL")
        assert "scope" in response.json()["errorDetails"]


def test_pages_of_permitted_sites_may_evaluate(flags: Flags) -> None:
    """A preflight request of a permitted site succeeds, and its page can read the answer and the tag; others cannot."""
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = httpx.options(flags.api.url + FLAG, headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    answer = flags.browser.post(FLAG, json=JOHN, headers={"Origin": SITE})
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "etag" in answer.headers["access-control-expose-headers"].lower()
    refused = httpx.post(flags.api.url + FLAG, headers={"Origin": SITE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, SITE)
    other = flags.browser.post(FLAG, json=JOHN, headers={"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in other.headers
    elsewhere = flags.api.http.get("/api/v1/query", headers={"Origin": SITE})
    assert "access-control-allow-origin" not in elsewhere.headers


def test_changes_are_messages_of_the_stream(flags: Flags) -> None:
    """The stream sends a message for each change that the client sees, from the answer on. A forged ticket is 401."""
    show = {"op": "set_client_visible", "setting": "a_string", "client_visible": True}
    flags.api.call("POST", "changes", {"operations": [show]}).raise_for_status()
    (stream,) = flags.browser.post(FLAG, json=JOHN).json()["eventStreams"]
    assert (stream["type"], stream["inactivityDelaySec"]) == ("sse", 120)
    assert flags.tokens["evaluate"] not in stream["url"]
    flags.api.call("PUT", f"rules/{flags.rules['a_boolean']}/value", {"value": False}).raise_for_status()
    flags.api.call("PUT", f"rules/{flags.rules['a_string']}/value", {"value": "c"}).raise_for_status()
    with httpx.stream("GET", stream["url"], timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        message = next(line for line in lines if line == "event: message")
        event_id, data = next(lines), next(lines)
    assert message
    assert json.loads(data.removeprefix("data: ")) == {
        "type": "refetchEvaluation",
        "etag": event_id.removeprefix("id: "),
    }
    assert event_id.startswith(f"id: {flags.api.revision()}-")
    forged = httpx.get(stream["url"].rpartition(".")[0] + ".no")
    assert forged.status_code == 401
    flags.api.call("PUT", f"rules/{flags.rules['a_boolean']}/value", {"value": True}).raise_for_status()
    flags.api.call("PUT", f"rules/{flags.rules['a_string']}/value", {"value": "b"}).raise_for_status()


def test_a_refetch_names_the_revision_that_it_heard_of(flags: Flags) -> None:
    """The parameters that providers append after an event are accepted."""
    heard = {"flagConfigEtag": f"{flags.api.revision()}-000000000000"}
    assert flags.evaluate_all(JOHN, params=heard).status_code == 200


def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    """A client that is refused too often gets 429, with Retry-After."""
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as running, httpx.Client(base_url=running.url) as http:
        refused = [http.post(FLAG, headers={"Authorization": "Bearer hkl_no"}) for _ in range(12)]
    assert {response.status_code for response in refused} == {401, 429}
    assert refused[-1].json()["errorCode"] == "GENERAL"
    assert int(refused[-1].headers["retry-after"]) > 0


def test_without_tokens_a_permitted_site_may_evaluate_and_no_other(tmp_path: Path) -> None:
    """A service without tokens sees all flags as visible, also for pages of permitted sites, but not for others."""
    with embedded(tmp_path / "a.db", context_features=FEATURES, cors_origins=[SITE]) as running:
        api = Api(running.url)
        with api.http:
            api.declare("plain")
            sent = {"Sec-Fetch-Site": "cross-site"}
            answer = api.http.post(FLAG, headers={**sent, "Origin": SITE})
            assert [item["key"] for item in answer.json()["flags"]] == ["plain"]
            (stream,) = answer.json()["eventStreams"]
            with httpx.stream("GET", stream["url"], headers={**sent, "Origin": SITE}) as response:
                assert response.status_code == 200
            refused = api.http.post(FLAG, headers={**sent, "Origin": "https://evil.example.com"})
            assert refused.status_code == 403


@pytest.mark.parametrize("origin", ["shop.example.com", "https://shop.example.com/", "https://a@shop.example.com"])
def test_a_malformed_origin_is_refused(origin: str) -> None:
    """An origin has a scheme and no path."""
    with pytest.raises(ValueError, match="is not an origin"):
        embedded(cors_origins=[origin])


class TestPythonProvider:
    """The official Python provider."""

    @pytest.fixture
    def client(self, flags: Flags) -> Iterator[OpenFeatureClient]:
        headers = {"Authorization": f"Bearer {flags.tokens['everything']}"}
        openfeature.set_provider_and_wait(OFREPProvider(flags.api.url, headers_factory=lambda: headers))
        yield openfeature.get_client()
        openfeature.clear_providers()

    @pytest.mark.parametrize("name", VALUES)
    def test_every_type(self, name: str, client: OpenFeatureClient, flags: Flags) -> None:
        """The provider accepts every type."""
        value = VALUES[name][2]
        kind = "object"
        if name in {"a_boolean", "an_integer", "a_float"}:
            kind = name.rpartition("_")[2]
        elif isinstance(value, str):
            kind = "string"
        default = {"boolean": False, "string": "", "integer": 0, "float": 0.5, "object": {}}[kind]
        found = getattr(client, f"get_{kind}_details")(name, default, EvaluationContext("john"))
        assert (found.value, found.error_code) == (value, None)
        assert (found.reason, found.variant) == (Reason.TARGETING_MATCH, f"rule:{flags.rules[name]}")
        assert found.flag_metadata["ruleId"] == flags.rules[name]

    def test_errors(self, client: OpenFeatureClient) -> None:
        """The provider understands each error."""
        missing = client.get_boolean_details("a_boolean", default_value=True)
        assert (missing.value, missing.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
        context = EvaluationContext("john", {"user": "jane"})
        assert client.get_boolean_details("a_boolean", True, context).error_code is None
        unknown = client.get_boolean_details("unknown", default_value=True)
        assert (unknown.error_code, unknown.error_message) == (ErrorCode.FLAG_NOT_FOUND, "there is no flag 'unknown'")
        bad = client.get_boolean_details("a_boolean", True, EvaluationContext(attributes={"user": 1.5}))
        assert bad.error_code is ErrorCode.INVALID_CONTEXT


def test_values_change_at_once(flags: Flags) -> None:
    """An answer after a change has the new value."""
    rule = flags.rules["an_integer"]
    with AdminClient(flags.api.url, token=flags.tokens["everything"]) as admin:
        for value in (7, 2):
            admin.change([SetValue(rule_id=rule, value=value)])
            assert flags.evaluate("an_integer", JOHN).json()["value"] == value
