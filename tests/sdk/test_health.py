"""The state of a client after each sequence of events."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heksherlite.engine.health import ClientState, Health, Problems, ValueSource

AT = datetime(2024, 2, 29, tzinfo=UTC)
TAKEN = datetime(2024, 2, 28, tzinfo=UTC)
ERROR = OSError("no")


def after(events: Sequence[str], max_staleness: float | None = None) -> Health:
    """Return the health after some events, one a second, the first at second 1."""
    health = Health(max_staleness)
    health.started()
    for now, event in enumerate(events, 1):
        match event:
            case "success":
                health.succeeded(now, AT, '"1"')
            case "failure":
                health.failed(ERROR)
            case "snapshot":
                health.serves_snapshot(TAKEN)
            case "defaults":
                health.serves_defaults()
            case "close":
                health.closed()
            case "start":
                health.started()
            case _:
                raise ValueError(event)
    return health


STATES: list[tuple[str, ClientState, ValueSource]] = [
    ("", "starting", "defaults"),
    ("success", "fresh", "service"),
    ("failure", "failed", "defaults"),
    ("failure failure", "failed", "defaults"),
    ("failure success", "fresh", "service"),
    ("success failure", "stale", "service"),
    ("success failure failure", "stale", "service"),
    ("success failure success", "fresh", "service"),
    ("snapshot", "stale", "snapshot"),
    ("failure snapshot", "stale", "snapshot"),
    ("failure snapshot failure", "stale", "snapshot"),
    ("failure snapshot success", "fresh", "service"),
    ("failure snapshot success failure", "stale", "service"),
    ("success failure defaults", "stale", "defaults"),
    ("success failure defaults failure", "stale", "defaults"),
    ("success failure defaults success", "fresh", "service"),
    ("close", "closed", "defaults"),
    ("success close", "closed", "service"),
    ("success close success", "closed", "service"),
    ("success failure close", "closed", "service"),
    ("failure snapshot close", "closed", "snapshot"),
    ("success close start", "starting", "defaults"),
    ("failure start success", "fresh", "service"),
]


@pytest.mark.parametrize(("events", "state", "source"), STATES, ids=[events or "nothing" for events, _, _ in STATES])
def test_states(events: str, state: ClientState, source: ValueSource) -> None:
    """The state and the source follow from what happened."""
    status = after(events.split()).status(100)
    assert (status.state, status.source) == (state, source)


def test_a_success_is_remembered() -> None:
    """Time, age and revision are those of the last success, also while updates fail."""
    health = after(["success", "failure", "failure"])
    status = health.status(11)
    assert (status.last_success, status.age, status.revision) == (AT, 10, '"1"')
    assert (status.last_error, status.consecutive_failures) == (ERROR, 2)


def test_a_success_ends_failures() -> None:
    """After a success no failures are counted, and the last error can still be looked up."""
    status = after(["failure", "failure", "success"]).status(3)
    assert (status.last_error, status.consecutive_failures, status.age) == (ERROR, 0, 0)


def test_declarations_that_fail() -> None:
    """A declaration that fails leaves the state as it was, but can be looked up, and so can how many are pending."""
    health = after(["success"])
    health.declaration_failed(ERROR)
    status = health.status(1, problems=Problems(undeclared=2))
    assert (status.state, status.last_error, status.consecutive_failures, status.undeclared) == ("fresh", ERROR, 0, 2)


def test_the_time_of_a_snapshot() -> None:
    """Values from a snapshot have the time when it was taken, and no age by this process's clock."""
    status = after(["failure", "snapshot"]).status(3)
    assert (status.last_success, status.age, status.revision) == (TAKEN, None, None)


@pytest.mark.parametrize(("now", "state"), [(1, "fresh"), (5.9, "fresh"), (6, "stale"), (100, "stale")])
def test_values_grow_old(now: float, state: str) -> None:
    """With ``max_staleness``, values become stale that long after the last success, without any failure."""
    health = after(["success"], max_staleness=5)
    assert health.stale_at == 6
    assert health.status(now).state == state


def test_a_success_makes_values_young_again() -> None:
    """Another success moves the time when values become stale."""
    assert after(["success", "failure", "success"], max_staleness=5).stale_at == 8


@pytest.mark.parametrize(
    ("events", "max_staleness"), [(["success"], None), ([], 5), (["failure"], 5), (["failure", "snapshot"], 5)]
)
def test_values_that_do_not_grow_old(events: Sequence[str], max_staleness: float | None) -> None:
    """Without ``max_staleness``, and without any success in this process, there is no such time."""
    assert after(events, max_staleness).stale_at == float("inf")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["success", "failure", "snapshot", "defaults"]), max_size=12), st.floats(12, 1e9))
def test_what_holds_for_each_history(events: list[str], now: float) -> None:
    """Fresh means that the last update succeeded, failures are counted since then, and an age requires a success."""
    status = after(events).status(now)
    updates = [event for event in events if event in ("success", "failure")]
    assert (status.state == "fresh") == (updates[-1:] == ["success"])
    assert status.consecutive_failures == len(updates) - len(" ".join(updates).rpartition("success")[0].split()) - (
        "success" in updates
    )
    assert (status.age is not None) == ("success" in updates)
    assert (status.state == "starting") == (not updates and status.source != "snapshot")
    assert (status.last_error is None) == ("failure" not in updates)
