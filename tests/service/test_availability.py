import logging

import pytest

from heksherlite.service.errors import DatabaseMovedError, DatabaseUnavailableError
from heksherlite.service.storage.availability import Availability

GONE = DatabaseUnavailableError("gone")
MOVED = DatabaseMovedError("moved")
FULL = DatabaseUnavailableError("full")


def test_the_reason_is_in_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is one message with its reason, and one at its end."""
    caplog.set_level(logging.INFO, "heksherlite.service.storage.availability")
    availability = Availability()
    for _ in range(3):
        availability.lost(GONE, availability.now())
    for _ in range(3):
        availability.reached(availability.now())
    assert caplog.messages == ["the database cannot be reached: gone", "the database can be reached again"]


def test_a_check_from_before_the_failure_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """A check that began before a failure and succeeds after it says nothing about what there is now."""
    caplog.set_level(logging.INFO, "heksherlite.service.storage.availability")
    availability = Availability()
    check, write = availability.now(), availability.now()
    availability.write_failed(MOVED, write)
    availability.reached(check)
    assert not availability.reachable
    availability.reached(availability.now())
    assert availability.reachable
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("error", [MOVED, FULL])
def test_a_failure_from_before_the_recovery_is_no_new_one(
    error: DatabaseUnavailableError, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that began during an outage and fails after it is explained by the outage."""
    caplog.set_level(logging.INFO, "heksherlite.service.storage.availability")
    availability = Availability()
    write = availability.now()
    availability.lost(GONE, availability.now())
    availability.reached(availability.now())
    availability.write_failed(error, write)
    availability.reached(availability.now())
    assert availability.reachable
    assert caplog.messages == ["the database cannot be reached: gone", "the database can be reached again"]


def test_a_write_fails_while_a_check_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    """On a full disk checks succeed before and after each write that fails; that is one message with the reason."""
    caplog.set_level(logging.INFO, "heksherlite.service.storage.availability")
    availability = Availability()
    for _ in range(3):
        write = availability.now()
        availability.reached(availability.now())
        availability.write_failed(FULL, write)
        availability.reached(availability.now())
    availability.written()
    assert caplog.messages == [
        "the database can be reached, but a write failed: full",
        "the database can be written again",
    ]
