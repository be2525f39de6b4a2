"""Proposals: another person approves a change before it is applied."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.domain import proposing
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.proposing import Statement
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.stores import opened
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_tokens, revoke_token
from tests.waiting import until

PUT_DEV = {"op": "put_rule", "setting": "cache_ttl", "feature_values": {"environment": "dev"}, "value": 10}


class Team:
    """The clients of a team, each with its own token.

    Attributes:
        admin: Every scope.
        author: Scopes read and propose.
        reviewer: Scopes read and write.
        shop: Every scope, limited to settings whose names start with ``shop.``.
    """

    def __init__(self, path: Path, url: str, tokens: Iterable[str]) -> None:
        self.path = path
        self.admin, self.author, self.reviewer, self.shop = [Api(url, token=token) for token in tokens]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    path = tmp_path / "a.db"
    scopes = {
        "admin": EVERY_SCOPE,
        "author": (Scope.READ, Scope.PROPOSE),
        "reviewer": (Scope.READ, Scope.WRITE),
        "shop": EVERY_SCOPE,
    }
    tokens = make_tokens(path, scopes, {"shop": "shop."})
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        team = Team(path, service.url, tokens.values())
        team.admin.declare()
        team.admin.declare("shop.page")
        yield team
        for api in (team.admin, team.author, team.reviewer, team.shop):
            api.close()


def propose(api: Api, *operations: dict[str, Any], **fields: Any) -> int:
    """Propose operations, and return the number of the proposal."""
    response = api.call("POST", "proposals", {"operations": list(operations), **fields})
    assert response.status_code == 201, response.text
    number: int = response.json()["proposal_id"]
    return number


def proposal(api: Api, number: int) -> Any:
    """Return the details of a proposal."""
    response = api.get(f"proposals/{number}")
    assert response.status_code == 200, response.text
    return response.json()


def act(api: Api, number: int, action: str, **fields: Any) -> httpx.Response:
    """Approve, reject, withdraw or comment."""
    return api.call("POST", f"proposals/{number}/{action}", fields)


def test_a_proposal_is_applied_when_somebody_else_approves_it(team: Team) -> None:
    """Nothing changes before the approval. The record has the reason of the proposal and names both people."""
    number = propose(team.author, PUT_DEV, reason="the cache is cold")
    assert team.admin.rule_ids() == []
    shown = proposal(team.reviewer, number)
    assert shown["state"] == "open"
    assert [region["after"] for region in shown["impact"]] == [10]
    assert act(team.reviewer, number, "comments", text="why 10?").status_code == 204
    assert act(team.author, number, "comments", text="measured").status_code == 204
    assert act(team.reviewer, number, "approve", comment="fine").status_code == 200
    shown = proposal(team.author, number)
    assert shown["state"] == "applied"
    assert [(each["author"]["name"], each["text"]) for each in shown["comments"]] == [
        ("reviewer", "why 10?"),
        ("author", "measured"),
        ("reviewer", "fine"),
    ]
    record = team.admin.history(limit=1)[0]
    assert record["revision"] == shown["applied_revision"]
    assert record["reason"] == "the cache is cold"
    assert record["author"]["name"] == "reviewer"
    assert [change["kind"] for change in record["changes"]] == ["rule", "proposal"]
    assert record["changes"][1]["after"]["author"] == "author"
    assert [rule["value"] for rule in team.admin.query()["cache_ttl"]["rules"]] == [10]


def test_authors_cannot_approve_their_proposals(team: Team) -> None:
    """The author cannot approve, whatever scopes the token has."""
    number = propose(team.admin, PUT_DEV)
    response = act(team.admin, number, "approve")
    assert response.status_code == 403
    assert "someone other than its author must approve it" in response.text
    assert team.admin.rule_ids() == []


def test_the_scope_propose(team: Team) -> None:
    """The scope propose allows proposals, and no other change."""
    number = propose(team.admin, PUT_DEV)
    assert act(team.author, number, "approve").status_code == 403
    assert act(team.author, number, "reject").status_code == 403
    assert team.author.call("POST", "changes", {"operations": [PUT_DEV]}).status_code == 403


def test_the_approver_needs_what_the_operations_need(team: Team) -> None:
    """Approving operations that require the scope admin requires the scope admin."""
    number = propose(team.author, {"op": "rename_setting", "setting": "cache_ttl", "name": "ttl"})
    response = act(team.reviewer, number, "approve")
    assert response.status_code == 403
    assert response.text == "operations[0]: rename_setting requires a token with scope admin"
    assert act(team.admin, number, "approve").status_code == 200


def test_only_the_author_withdraws(team: Team) -> None:
    """Another person can reject a proposal, but not withdraw it."""
    number = propose(team.author, PUT_DEV)
    assert act(team.reviewer, number, "withdraw").status_code == 403
    assert act(team.author, number, "withdraw").status_code == 204
    assert proposal(team.author, number)["state"] == "withdrawn"


def test_a_closed_proposal_stays_as_it_is(team: Team) -> None:
    """Every action on a decided proposal is a conflict."""
    number = propose(team.author, PUT_DEV)
    assert act(team.reviewer, number, "reject", comment="no").status_code == 204
    for api, action, fields in [
        (team.reviewer, "approve", {}),
        (team.reviewer, "reject", {}),
        (team.author, "withdraw", {}),
        (team.author, "comments", {"text": "but"}),
    ]:
        assert act(api, number, action, **fields).status_code == 409, action
    assert proposal(team.author, number)["state"] == "rejected"
    assert team.admin.rule_ids() == []


def test_approving_twice_applies_once(team: Team) -> None:
    """The second approval is a conflict, and the change has one record."""
    number = propose(team.author, PUT_DEV)
    first, second = act(team.reviewer, number, "approve"), act(team.admin, number, "approve")
    assert [first.status_code, second.status_code] == [200, 409]
    assert len(team.admin.rule_ids()) == 1


def test_impossible_operations_cannot_be_proposed(team: Team) -> None:
    """A proposal with conflicts is refused with every reason."""
    operations = [PUT_DEV, {"op": "delete_rule", "rule_id": 99}]
    response = team.author.call("POST", "proposals", {"operations": operations})
    assert response.status_code == 409
    assert [conflict["operation"] for conflict in response.json()["conflicts"]] == [1]


def test_concurrent_changes_prevent_the_application(team: Team) -> None:
    """A proposal with a base revision shows conflicting changes, is not applied, and stays open."""
    rule_id = team.admin.add_rule(5, environment="dev")
    base = team.admin.history(limit=1)[0]["revision"]
    number = propose(team.author, PUT_DEV, base_revision=base)
    team.admin.call("PUT", f"rules/{rule_id}/value", {"value": 6})
    (conflict,) = proposal(team.reviewer, number)["conflicts"]
    assert "was changed from 5 to 6" in conflict["reason"]
    assert act(team.reviewer, number, "approve").status_code == 409
    assert proposal(team.reviewer, number)["state"] == "open"


def test_an_approved_proposal_waits_for_its_time(team: Team) -> None:
    """With apply_at, the service applies an approved proposal at that time."""
    number = propose(team.author, PUT_DEV, apply_at=(datetime.now(UTC) + timedelta(seconds=1.5)).isoformat())
    assert act(team.reviewer, number, "approve").json()["state"] == "approved"
    assert team.admin.rule_ids() == []
    until(lambda: proposal(team.author, number)["state"] == "applied")
    assert len(team.admin.rule_ids()) == 1
    assert team.admin.history(limit=1)[0]["author"]["kind"] == "schedule"


def test_a_proposal_fails_if_its_approver_lost_the_right(team: Team) -> None:
    """If the token of the approver was revoked, the proposal is not applied, and has the reason."""
    number = propose(team.author, PUT_DEV, apply_at=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    assert act(team.reviewer, number, "approve").status_code == 200
    assert revoke_token(team.path, "reviewer")
    until(lambda: proposal(team.author, number)["state"] == "failed")
    assert "revoked" in proposal(team.author, number)["failure"]
    assert team.admin.rule_ids() == []


def test_a_proposal_fails_if_it_cannot_be_applied_any_more(team: Team) -> None:
    """If its operations conflict at the time of the application, the proposal has the reasons."""
    rule_id = team.admin.add_rule(5, environment="dev")
    operation = {"op": "set_value", "rule_id": rule_id, "value": 6}
    number = propose(team.author, operation, apply_at=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    assert act(team.reviewer, number, "approve").status_code == 200
    team.admin.call("DELETE", f"rules/{rule_id}")
    until(lambda: proposal(team.author, number)["state"] == "failed")
    assert proposal(team.author, number)["failure"] == f"rule {rule_id} does not exist"


def test_a_time_that_is_over_is_refused(team: Team) -> None:
    """A proposal for a time in the past is refused."""
    response = team.author.call("POST", "proposals", {"operations": [PUT_DEV], "apply_at": "2020-01-01T00:00:00Z"})
    assert response.status_code == 422
    assert "apply_at is over" in response.text


def test_protected_settings_are_changed_by_proposals(team: Team) -> None:
    """A proposal can change a protected setting, and its protection."""
    protect = {"op": "set_protection", "setting": "cache_ttl", "protected": True}
    assert team.admin.call("POST", "changes", {"operations": [protect]}).status_code == 200
    number = propose(team.author, PUT_DEV)
    assert act(team.reviewer, number, "approve").status_code == 200
    assert len(team.admin.rule_ids()) == 1
    number = propose(team.author, {**protect, "protected": False})
    assert act(team.admin, number, "approve").status_code == 200
    assert "protected" not in team.admin.setting()


def test_a_limited_token_sees_and_decides_within_its_prefix(team: Team) -> None:
    """A limited token can neither see nor make proposals about other settings."""
    number = propose(team.author, PUT_DEV)
    inside = propose(team.author, {"op": "set_default", "setting": "shop.page", "value": 5})
    for response in [
        team.shop.get(f"proposals/{number}"),
        act(team.shop, number, "approve"),
        act(team.shop, number, "reject"),
        act(team.shop, number, "comments", text="hm"),
    ]:
        assert response.status_code == 404
    listed = team.shop.get("proposals").json()["proposals"]
    assert [each["proposal_id"] for each in listed] == [inside]
    response = team.shop.call("POST", "proposals", {"operations": [PUT_DEV]})
    assert response.status_code == 403
    assert act(team.shop, inside, "approve").status_code == 200


def test_proposals_are_listed_by_state_in_pages(team: Team) -> None:
    """Proposals are listed with the newest first, by state, in pages."""
    numbers = [propose(team.author, PUT_DEV) for _ in range(5)]
    act(team.reviewer, numbers[1], "reject")
    page = team.author.get("proposals", limit=2).json()
    assert [each["proposal_id"] for each in page["proposals"]] == numbers[:2:-1]
    page = team.author.get("proposals", limit=2, before=page["next"]).json()
    assert [each["proposal_id"] for each in page["proposals"]] == numbers[2:0:-1]
    rejected = team.author.get("proposals", state="rejected").json()["proposals"]
    assert [each["proposal_id"] for each in rejected] == [numbers[1]]


def test_a_restarted_service_knows_its_proposals(tmp_path: Path) -> None:
    """A proposal from before a restart can be decided and is applied at its time."""
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES) as service:
        api = Api(service.url)
        api.declare()
        number = propose(api, PUT_DEV, reason="later")
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        timed = propose(api, {"op": "set_default", "setting": "cache_ttl", "value": 7}, apply_at=soon)
        assert act(api, timed, "approve").status_code == 200
        api.close()
    with embedded(path) as service:
        api = Api(service.url)
        assert act(api, number, "approve").status_code == 200
        assert len(api.rule_ids()) == 1
        until(lambda: api.query()["cache_ttl"]["default_value"] == 7)
        assert propose(api, PUT_DEV) == timed + 1
        api.close()


def test_old_closed_proposals_are_deleted(tmp_path: Path) -> None:
    """Closed proposals are deleted once they are old and no replica can still have to learn of them; open ones stay."""

    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/a.db") as store:
            by = Statement(BY_SERVICE.author, store.now())
            closed, still_open = [
                await store.write(
                    partial(proposing.propose, operations=(), by=by, reason=None, base_revision=None, apply_at=None)
                )
                for _ in range(2)
            ]
            await store.write(partial(proposing.withdraw, proposal_id=closed, by=by))
            now, revision = store.now(), store.catalog.counters.revision
            await store.proposals.prune(now, oldest=revision - 1)
            await store.proposals.prune(now - timedelta(days=1), oldest=revision)
            assert len(await store.proposals.list(states=None, limit=10)) == 2
            await store.proposals.prune(now, oldest=revision)
            assert [each.id for each in await store.proposals.list(states=None, limit=10)] == [still_open]

    asyncio.run(run())
