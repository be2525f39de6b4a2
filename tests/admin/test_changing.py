"""Operations, what they would do, and what they did, through the client for operators."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from heksherlite.admin import (
    AdminClient,
    AnyOperation,
    Author,
    ChangeConflictsError,
    DecidedBy,
    DeleteRule,
    DeleteSetting,
    MoveContextFeature,
    OperationConflict,
    PutRule,
    Region,
    RequestRefusedError,
    SetDefault,
    SetProtection,
    ValueChange,
)
from tests.service.api import Api

PUT_DEV = PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=10)
PUT_JOHN = PutRule(setting="cache_ttl", feature_values={"environment": "dev", "user": "john"}, value=0)


def newest(admin: AdminClient) -> int:
    """Return the newest revision."""
    return admin.change([], dry_run=True).revision


def test_a_change_with_its_impact(admin: AdminClient) -> None:
    """The result has the revision, what changed, the ids of the rules, and in which contexts values change."""
    before = newest(admin)
    result = admin.change([PUT_DEV, PUT_JOHN, SetDefault(setting="page_size", value=50)], reason="the cache is cold")
    assert result.revision == before + 1
    assert sorted(change.kind for change in result.changes) == ["rule", "rule", "setting"]
    dev, john, none = result.rule_ids
    assert none is None
    assert [rule.rule_id for rule in admin.rules("cache_ttl")] == [dev, john]
    default = DecidedBy(kind="declared_default")
    assert result.impact.value_changes[:2] == (
        ValueChange(
            setting="cache_ttl",
            region=Region(where={"environment": "dev"}, exceptions=({"user": "john"},)),
            before=60,
            after=10,
            before_by=default,
            after_by=DecidedBy(kind="rule", rule_id=dev),
        ),
        ValueChange(
            setting="cache_ttl",
            region=Region(where={"environment": "dev", "user": "john"}),
            before=60,
            after=0,
            before_by=default,
            after_by=DecidedBy(kind="rule", rule_id=john),
        ),
    )
    assert result.impact.value_changes[2].after_by == DecidedBy(kind="operator_default")


def test_a_dry_run_changes_nothing_and_shows_the_same(admin: AdminClient) -> None:
    """A dry run has the result of the real change, but for the revision."""
    before = newest(admin)
    preview = admin.change([PUT_DEV], dry_run=True)
    assert preview.revision == newest(admin) == before
    real = admin.change([PUT_DEV])
    assert (preview.changes, preview.rule_ids, preview.impact) == (real.changes, real.rule_ids, real.impact)


def test_shadowed_rules_and_deleted_settings(admin: AdminClient) -> None:
    """The impact names rules that never win, and settings that are deleted."""
    moved = MoveContextFeature(context_feature="environment", to_after="user")
    result = admin.change([PUT_JOHN, PUT_DEV, DeleteSetting(setting="page_size"), moved], dry_run=True)
    assert result.impact.deleted_settings == ("page_size",)
    assert not result.impact.truncated


def test_conflicts_are_in_the_message(admin: AdminClient) -> None:
    """A refused change names each operation that cannot be made, and why, in the message itself."""
    operations: list[AnyOperation] = [PUT_DEV, DeleteRule(rule_id=10**9), SetDefault(setting="nothing", value=1)]
    with pytest.raises(ChangeConflictsError) as raised:
        admin.change(operations)
    assert raised.value.conflicts == (
        OperationConflict(operation=1, reason="rule 1000000000 does not exist", setting=None, rule_id=10**9),
        OperationConflict(operation=2, reason="setting 'nothing' does not exist", setting="nothing", rule_id=None),
    )
    assert str(raised.value) == (
        "POST /api/v1/changes has conflicts:\n"
        "  operations[1]: rule 1000000000 does not exist\n"
        "  operations[2]: setting 'nothing' does not exist"
    )
    assert admin.rules("cache_ttl") == ()


def test_a_message_names_the_first_conflicts_only(admin: AdminClient) -> None:
    """A message with thousands of conflicts could not be read. The error has all of them."""
    with pytest.raises(ChangeConflictsError, match="and 80 more conflicts") as raised:
        admin.change([DeleteRule(rule_id=10**9)] * 100)
    assert len(raised.value.conflicts) == 100


def test_what_others_changed_is_a_conflict(admin: AdminClient) -> None:
    """With base_revision, a touched rule that somebody else changed is named with its values."""
    admin.change([PUT_DEV])
    seen = newest(admin)
    admin.change([replace(PUT_DEV, value=11)])
    admin.change([SetDefault(setting="page_size", value=50)], base_revision=seen)
    with pytest.raises(ChangeConflictsError, match=r"changed from 10 to 11 in revision \d+ by anonymous"):
        admin.change(
            [PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=12)], base_revision=seen
        )


def test_malformed_operations_name_their_fields(admin: AdminClient) -> None:
    """A refused field is named with its place in the list."""
    wrong = PutRule(setting="cache_ttl", feature_values={"user": "a b"}, value=1)
    with pytest.raises(RequestRefusedError, match=r"operations\[1\]\.feature_values\.user") as raised:
        admin.change([PUT_DEV, wrong])
    assert raised.value.status == 422


def test_protected_settings(admin: AdminClient) -> None:
    """A protected setting is changed in an emergency, which the history keeps."""
    admin.change([SetProtection(setting="cache_ttl", protected=True)])
    assert admin.setting("cache_ttl").protected
    with pytest.raises(RequestRefusedError, match="protected"):
        admin.change([PUT_DEV])
    made = admin.change([PUT_DEV], break_glass=True, reason="the shop is down")
    assert admin.record(made.revision).break_glass
    admin.change([SetProtection(setting="cache_ttl", protected=False)], break_glass=True, reason="so that tests go on")


def test_the_history_and_a_revert(admin: AdminClient) -> None:
    """Records are the newest first, page by page, and a change is reverted as a whole."""
    first = admin.change([PUT_DEV], reason="the cache is cold")
    second = admin.change([PUT_JOHN])
    page = admin.history(limit=1)
    assert [record.revision for record in page.records] == [second.revision]
    assert page.next is not None
    (record,) = admin.history(before=page.next, limit=1).records
    assert record == admin.record(first.revision)
    assert record.author == Author(kind="anonymous", name=None, address="127.0.0.1")
    assert record.reason == "the cache is cold"
    assert record.time.tzinfo is not None
    assert record.changes == first.changes
    reverted = admin.revert(second.revision, reason="wrong user")
    assert admin.record(reverted).reverts == second.revision
    assert [rule.value for rule in admin.rules("cache_ttl")] == [10]
    with pytest.raises(ChangeConflictsError, match="has conflicts:\n  "):
        admin.revert(second.revision)


def test_times_and_filters_of_the_history(admin: AdminClient) -> None:
    """A page has only what was asked for."""
    made = admin.change([PUT_DEV])
    now = datetime(2999, 1, 1, tzinfo=UTC)
    assert admin.history(since=now).records == ()
    assert made.revision in [record.revision for record in admin.history(setting="cache_ttl", until=now).records]
    assert admin.history(setting="cache_ttl", rule_id=made.rule_ids[0]).records[0].revision == made.revision


def test_the_api_and_the_client_see_the_same(admin: AdminClient, api: Api) -> None:
    """What the client changes is what programs get."""
    admin.change([PUT_DEV])
    assert [rule["value"] for rule in api.query()["cache_ttl"]["rules"]] == [10]
