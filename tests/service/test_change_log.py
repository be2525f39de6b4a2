"""The log of a setting, from which partial responses are made."""

from heksherlite.service.domain import change_log
from heksherlite.service.domain.change_log import ChangeLog

MOST = change_log._MOST_RULES


def test_what_changed_after_a_revision() -> None:
    """The ids of all rules that changed later, each once."""
    log = ChangeLog(3).with_change(5, [1, 2]).with_change(8, [2, 3]).with_change(9, [])
    assert [log.since(revision) for revision in range(2, 10)] == [
        None,
        {1, 2, 3},
        {1, 2, 3},
        {2, 3},
        {2, 3},
        {2, 3},
        set(),
        set(),
    ]


def test_the_oldest_revisions_are_forgotten() -> None:
    """If too many rules are listed, or too many revisions."""
    log = ChangeLog(0).with_change(1, [1, 2]).with_change(2, range(10, 10 + MOST - 2))
    assert log.since(0) is not None
    log = log.with_change(3, [1])
    assert (log.since(0), len(log.since(1) or ())) == (None, MOST - 1)
    assert log.with_change(4, range(MOST + 1)) == ChangeLog(4)
    log = ChangeLog(0)
    for revision in range(1, MOST + 2):
        log = log.with_change(revision, [])
    assert log.since(0) is None
    assert log.since(1) == frozenset()
