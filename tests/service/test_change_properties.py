"""What holds for every change: a dry run says what the real one does, and a revert restores what clients get."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heksherlite.admin import AdminClient, AnyOperation, ChangeConflictsError, SetProtection
from tests.service.api import FEATURES, Api
from tests.service.test_deciding import NAMES, lists, operations

PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def begin(api: Api) -> None:
    """Make two settings without rules."""
    api.reset()
    for name in NAMES:
        api.declare(name, default_value=0, configurable_features=FEATURES)


def without_protection(listed: Sequence[AnyOperation]) -> list[AnyOperation]:
    """Leave out what would forbid everything after it."""
    return [operation for operation in listed if not isinstance(operation, SetProtection)]


def possible(admin: AdminClient, listed: Sequence[AnyOperation]) -> list[AnyOperation]:
    """Leave out operations that cannot be made, until all others can."""
    kept = without_protection(listed)
    while True:
        try:
            admin.change(kept, dry_run=True)
        except ChangeConflictsError as error:
            wrong = {conflict.operation for conflict in error.conflicts}
            kept = [operation for index, operation in enumerate(kept) if index not in wrong]
        else:
            return kept


def outcome(admin: AdminClient, listed: Sequence[AnyOperation], *, dry_run: bool) -> Any:
    """Return what a change comes to, but for its revision."""
    try:
        result = admin.change(listed, dry_run=dry_run)
    except ChangeConflictsError as error:
        return error.conflicts
    return result.changes, result.rule_ids, result.impact


@pytest.mark.thorough
@given(lists, lists)
@PROPERTY
def test_a_dry_run_has_the_result_of_the_real_change(
    shared_api: Api, first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """A dry run has the changes, ids, impact and conflicts of the change that follows, and changes nothing itself."""
    begin(shared_api)
    with AdminClient(shared_api.url) as admin:
        admin.change(possible(admin, first))
        for listed in (without_protection(then), possible(admin, then)):
            before = shared_api.get("query").content
            expected = outcome(admin, listed, dry_run=True)
            assert shared_api.get("query").content == before
            assert outcome(admin, listed, dry_run=False) == expected


@pytest.mark.thorough
@given(lists, st.lists(operations, min_size=1, max_size=15))
@PROPERTY
def test_a_revert_restores_what_clients_get(
    shared_api: Api, first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """After a change was reverted, queries have the bytes from before it; after that was reverted, those after it."""
    begin(shared_api)
    with AdminClient(shared_api.url) as admin:
        admin.change(possible(admin, first))
        before = shared_api.get("query", include_metadata=True).content
        made = admin.change(possible(admin, then))
        if not made.changes:
            return
        after = shared_api.get("query", include_metadata=True).content
        reverted = admin.revert(made.revision)
        assert shared_api.get("query", include_metadata=True).content == before
        admin.revert(reverted)
        assert shared_api.get("query", include_metadata=True).content == after
