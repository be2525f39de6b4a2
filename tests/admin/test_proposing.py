"""Proposals, through the clients of two people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heksherlite.admin import AccessRefusedError, AdminClient, ChangeConflictsError, PutRule, SetProtection
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

PUT_DEV = PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=10)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AdminClient, AdminClient]]:
    """Return the clients of an author, who only proposes, and of a reviewer."""
    path = Path(tmp_path_factory.mktemp("proposals")) / "a.db"
    jane = make_token(path, "jane", Scope.READ, Scope.PROPOSE)
    john = make_token(path, "john", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=john)
        with api.http:
            api.declare()
        with AdminClient(service.url, token=f" {jane}\n") as author, AdminClient(service.url, token=john) as reviewer:
            yield author, reviewer


def test_a_proposal_from_its_beginning_to_its_end(people: tuple[AdminClient, AdminClient]) -> None:
    """Somebody proposes, both discuss, and the other one approves."""
    author, reviewer = people
    with pytest.raises(AccessRefusedError, match="scope write"):
        author.change([PUT_DEV])
    number = author.propose([PUT_DEV], reason="the cache is cold", base_revision=reviewer.history().records[0].revision)
    proposal = reviewer.proposal(number)
    assert (proposal.state, proposal.author.name, proposal.reason) == ("open", "jane", "the cache is cold")
    assert proposal.operations == (PUT_DEV,)
    assert proposal.conflicts == ()
    assert proposal.impact is not None
    assert [change.after for change in proposal.impact.value_changes] == [10]
    reviewer.comment(number, "why 10?")
    author.comment(number, "measured")
    with pytest.raises(AccessRefusedError, match="scope write"):
        author.approve(number)
    applied = reviewer.approve(number, comment="fine")
    assert applied.state == "applied"
    assert applied.decided_by is not None
    assert applied.decided_by.name == "john"
    assert [comment.text for comment in applied.comments] == ["why 10?", "measured", "fine"]
    assert applied.applied_revision == reviewer.history(limit=1).records[0].revision
    with pytest.raises(ChangeConflictsError, match="is closed"):
        reviewer.approve(number)


def test_proposals_that_come_to_nothing(people: tuple[AdminClient, AdminClient]) -> None:
    """A proposal is rejected by somebody else, or withdrawn by its author, and listed by its state."""
    author, reviewer = people
    moment = datetime(2999, 1, 1, tzinfo=UTC)
    first, second = author.propose([PUT_DEV], apply_at=moment), author.propose([PUT_DEV])
    assert reviewer.proposal(first).apply_at == moment
    reviewer.reject(first, comment="no")
    with pytest.raises(AccessRefusedError, match="only its author"):
        reviewer.withdraw(second)
    author.withdraw(second, comment="never mind")
    page = reviewer.list_proposals(states=["rejected", "withdrawn"])
    assert [(each.proposal_id, each.state) for each in page.proposals] == [(second, "withdrawn"), (first, "rejected")]
    assert page.next is None
    page = reviewer.list_proposals(limit=1)
    assert page.next is not None
    assert reviewer.list_proposals(before=page.next, limit=1).proposals[0].proposal_id == first


def test_nobody_approves_their_own_proposal(people: tuple[AdminClient, AdminClient]) -> None:
    """The author is refused, whatever the scopes are."""
    _, reviewer = people
    number = reviewer.propose([SetProtection(setting="cache_ttl", protected=True)])
    with pytest.raises(AccessRefusedError, match="someone other than its author must approve it"):
        reviewer.approve(number)


def test_a_wrong_token(people: tuple[AdminClient, AdminClient]) -> None:
    """A service that does not know the token says so."""
    with AdminClient(str(people[0]), token=FEATURES[0]) as stranger, pytest.raises(AccessRefusedError) as raised:
        stranger.list_settings()
    assert raised.value.status == 401
