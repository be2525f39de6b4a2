"""Changes from many processes at once, and changes that a kill interrupts."""

import json
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from random import Random

import pytest

from heksherlite.admin import AdminClient, PutRule, ServiceUnavailableError
from tests.service.api import FEATURES
from tests.service.stores import run_sql
from tests.service.test_processes import process
from tests.waiting import until

WRITERS = 8
CHANGES = 25
OPERATIONS = 10_000
KILLS = 6


@pytest.mark.thorough
def test_overlapping_writers_lose_nothing(database: str) -> None:
    """Eight processes change the same rules over three replicas.

    Each acknowledged change is in the history once, and changes the values that its author saw. Each refused one names
    a change of somebody else that was made after the revision that its author looked at, of a rule that it is about.
    """
    arguments = ("--database", database, "--context-features", ";".join(FEATURES))
    with ExitStack() as stack:
        apis = [stack.enter_context(process(*arguments))[1] for _ in range(3)]
        apis[0].declare()
        # Nobody writes this value: a change that changes nothing is not in the history.
        rule_ids = {user: apis[0].add_rule(-1, user=user) for user in "abc"}
        for api in apis:
            until(lambda api=api: len(api.rule_ids()) == 3)  # type: ignore[misc]
        program = [sys.executable, "-W", "error", "-m", "tests.service.changing_program"]
        writers = [
            stack.enter_context(
                subprocess.Popen(
                    [*program, apis[seed % 3].url, str(seed), str(CHANGES)], stdout=subprocess.PIPE, text=True
                )
            )
            for seed in range(WRITERS)
        ]
        lines = [line for writer in writers for line in writer.communicate(timeout=120)[0].splitlines()]
        assert [writer.returncode for writer in writers] == [0] * WRITERS
        outcomes = [json.loads(line) for line in lines]
        acknowledged = [outcome for outcome in outcomes if "revision" in outcome]
        refused = [outcome for outcome in outcomes if "conflicts" in outcome]
        assert acknowledged
        admin = stack.enter_context(AdminClient(apis[0].url))
        records = {}
        before = None
        while True:
            page = admin.history(setting="cache_ttl", before=before, limit=1000)
            records.update({record.revision: record for record in page.records})
            if (before := page.next) is None:
                break
    changes = {revision: record for revision, record in records.items() if (record.reason or "").startswith("writer")}
    assert sorted(outcome["revision"] for outcome in acknowledged) == sorted(changes)
    for outcome in acknowledged:
        changed = {change.rule_id: change for change in changes[outcome["revision"]].changes}
        before_and_after = {
            rule_id: (change.before["value"], change.after["value"]) for rule_id, change in changed.items()
        }
        assert before_and_after == {
            rule_ids[user]: (value, outcome["value"]) for user, value in outcome["seen"].items()
        }
    for outcome in refused:
        for index, reason in outcome["conflicts"]:
            named = re.search(
                r"^rule (\d+) of setting 'cache_ttl' was changed from -?\d+ to \d+ in revision (\d+)", reason
            )
            assert named is not None, reason
            rule_id, revision = int(named[1]), int(named[2])
            assert rule_id == rule_ids[list(outcome["seen"])[index]]
            assert revision > outcome["base"]
            assert rule_id in {change.rule_id for change in changes[revision].changes}


@pytest.mark.thorough
def test_a_kill_during_a_large_change_leaves_all_or_nothing(database: str) -> None:
    """SIGKILL at random moments of a change of 10,000 operations: every rule has the new value, or the old one."""
    random = Random(0)  # noqa: S311 - no secret
    arguments = ("--database", database, "--context-features", ";".join(FEATURES))
    with process(*arguments) as (_, api):
        api.declare("x", default_value=0)
    possible: list[set[int]] = [set()]
    for value in range(1, KILLS + 1):
        with process(*arguments) as (running, api), AdminClient(api.url) as admin:
            rules = api.query()["x"]["rules"]
            assert len(rules) in {0, OPERATIONS}
            before = {rule["value"] for rule in rules}
            assert before in possible
            operations = [
                PutRule(setting="x", feature_values={"user": f"u{number}"}, value=value) for number in range(OPERATIONS)
            ]
            timer = threading.Timer(random.uniform(0.05, 1.5), running.send_signal, [signal.SIGKILL])
            timer.start()
            try:
                admin.change(operations)
            except ServiceUnavailableError:
                possible = [before, {value}]
            else:
                possible = [{value}]
            timer.join()
            running.wait(30)
    if database.startswith("sqlite"):
        assert run_sql(database, "PRAGMA integrity_check") == [("ok",)]
