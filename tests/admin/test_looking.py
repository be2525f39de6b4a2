"""Settings, rules, explanations and exports, through the client for operators."""

from datetime import UTC, datetime

import anyio
import pytest

from heksherlite.admin import (
    NOT_GIVEN,
    AdminClient,
    AsyncAdminClient,
    DecidedBy,
    FailedCondition,
    PutRule,
    Region,
    RequestRefusedError,
    RuleDetails,
    SetDefault,
)
from tests.service.api import FEATURES, Api

PUT_DEV = PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=10, metadata={"ticket": 42})
PUT_JOHN = PutRule(setting="cache_ttl", feature_values={"user": "john"}, value=0)


def test_settings(admin: AdminClient) -> None:
    """A setting has both defaults, if an operator set one."""
    assert [setting.name for setting in admin.list_settings()] == ["cache_ttl", "page_size"]
    setting = admin.setting("page_size")
    assert (setting.type, setting.default_value, setting.declared_default_value) == ("int", 20, 20)
    assert setting.operator_default_value is NOT_GIVEN
    admin.change([SetDefault(setting="page_size", value=50)])
    setting = admin.setting("page_size")
    assert (setting.default_value, setting.declared_default_value, setting.operator_default_value) == (50, 20, 50)
    assert setting in admin.list_settings()


def test_rules(admin: AdminClient) -> None:
    """A rule has its conditions, metadata and schedule."""
    start = datetime(2999, 1, 1, tzinfo=UTC)
    later = PutRule(setting="cache_ttl", feature_values={"user": "jane"}, value=1, starts_at=start)
    dev, jane = admin.change([PUT_DEV, later]).rule_ids
    assert dev is not None
    assert jane is not None
    assert admin.rules("cache_ttl") == (admin.rule(dev), admin.rule(jane))
    assert admin.rule(dev) == RuleDetails(
        rule_id=dev,
        setting="cache_ttl",
        feature_values={"environment": "dev"},
        value=10,
        metadata={"ticket": 42},
    )
    assert (admin.rule(jane).starts_at, admin.rule(jane).ends_at, admin.rule(jane).phase) == (start, None, "pending")


def test_what_does_not_exist_is_named(admin: AdminClient) -> None:
    """A missing setting or rule is an error with status 404 that names it."""
    with pytest.raises(RequestRefusedError, match="setting 'nothing' does not exist") as raised:
        admin.setting("nothing")
    assert raised.value.status == 404
    with pytest.raises(RequestRefusedError, match="rule 1000000000 does not exist"):
        admin.rule(10**9)


def test_an_explanation_of_a_whole_context(admin: AdminClient) -> None:
    """It names the value, what it comes from, and why the other rules do not win."""
    dev, john = admin.change([PUT_DEV, PUT_JOHN]).rule_ids
    shown = admin.explain(["cache_ttl"], {"environment": "dev", "user": "jane"})
    assert shown.context_features == tuple(FEATURES)
    explanation = shown.explanations["cache_ttl"]
    assert (explanation.value, explanation.decided_by) == (10, DecidedBy(kind="rule", rule_id=dev))
    assert {rule.rule_id: rule.outcome for rule in explanation.rules} == {dev: "wins", john: "no_match"}
    assert explanation.rules[0].failed == FailedCondition(feature="user", wanted="john", given="jane")
    assert (explanation.missing, explanation.rule_count, explanation.rule_offset) == ((), 2, 0)


def test_an_explanation_of_a_part_of_a_context(admin: AdminClient) -> None:
    """It lists the values that the setting may have, and in which contexts."""
    admin.change([PUT_DEV, PUT_JOHN])
    explanation = admin.explain(["cache_ttl"], {"environment": "dev"}).explanations["cache_ttl"]
    assert explanation.value is NOT_GIVEN
    assert explanation.decided_by is None
    assert explanation.missing == ("user",)
    assert [(each.region, each.value) for each in explanation.possible_values] == [
        (Region(where={"user": "john"}), 0),
        (Region(where={}, exceptions=({"user": "john"},)), 10),
    ]


def test_two_times_are_compared(admin: AdminClient) -> None:
    """An explanation of two revisions names the settings whose values differ."""
    before = admin.change([PUT_DEV]).revision
    after = admin.change([PUT_JOHN]).revision
    shown = admin.explain(context={"user": "john", "environment": "dev"}, at=before, and_at=after)
    assert shown.and_at is not None
    assert (shown.revision, shown.and_at.revision) == (before, after)
    assert shown.differing == ("cache_ttl",)
    values = [each.explanations["cache_ttl"].value for each in (shown, shown.and_at)]
    assert values == [10, 0]


def test_an_unknown_time_is_refused(admin: AdminClient) -> None:
    """A time in the future has no explanation."""
    with pytest.raises(RequestRefusedError, match="is in the future"):
        admin.explain(at=datetime(2999, 1, 1, tzinfo=UTC))


def test_context_features_and_exports(admin: AdminClient, api: Api) -> None:
    """The features are in their order, and an export is what the service sends."""
    assert admin.context_features() == tuple(FEATURES)
    assert admin.export() == api.get("export").content


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_client_does_the_same(backend: str, admin: AdminClient) -> None:
    """Its methods are coroutines, on each event loop."""

    async def main() -> None:
        async with AsyncAdminClient(str(admin)) as client:
            result = await client.change([PUT_DEV], reason="the cache is cold")
            assert await client.record(result.revision) == admin.record(result.revision)
            assert await client.rules("cache_ttl") == admin.rules("cache_ttl")

    anyio.run(main, backend=backend)
