"""The scenarios, and the check of their ends."""

# ruff: noqa: T201 - it prints what it finds

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.interop.conversation import Worker
from tests.interop.definition import resolve
from tests.stress.domain import SETTINGS, contexts_of
from tests.stress.service import ServiceProcess

_PATIENCE = 10.0  # seconds for the last writes to reach every reader by itself


def run_scenario(title: str, *, services: int, readers: int, seconds: float) -> list[str]:
    """Run programs on a fresh database, and return what is wrong afterwards."""
    print(f"== {title}", flush=True)
    faults: list[str] = []
    running: list[ServiceProcess] = []
    with tempfile.TemporaryDirectory(prefix="heksherlite-stress-") as folder:
        with ExitStack() as stack:
            for number in range(services):
                service = ServiceProcess(Path(folder, "settings.db"), Path(folder, f"service-{number}.log"))
                running.append(stack.enter_context(service))
            urls = [service.url for service in running]
            workers = [
                stack.enter_context(_worker(("async", "thread")[number % 2], urls[number // 2 % services], number))
                for number in range(readers)
            ]
            faults += _work(workers, urls, seconds)
            for worker in workers:
                faults += [f"{worker.name} logged: {line}" for line in worker.ask("log")]
        for service in running:
            faults += [f"service log: {line}" for line in service.problems()]
    return faults


def _worker(flavour: str, url: str, number: int) -> Worker:
    command = [sys.executable, "-m", "tests.stress.program", flavour, url, str(number)]
    return Worker(f"program {number} ({flavour})", command, folder=Path(__file__).parents[2])


def _work(workers: Sequence[Worker], urls: Sequence[str], seconds: float) -> list[str]:
    for worker in workers:
        worker.ask("values")  # it is ready
    began = time.monotonic()
    for worker in workers:
        worker.tell("work", seconds=seconds)
    outcomes = [worker.hear() for worker in workers]
    elapsed = time.monotonic() - began
    statuses: Counter[str] = Counter()
    for outcome in outcomes:
        statuses.update(outcome["statuses"])
    writes = sum(count for what, count in statuses.items() if not what.startswith("search") and what[-3] == "2")
    reads, changes = (sum(outcome[key] for outcome in outcomes) for key in ("reads", "changes"))
    print(f"{writes} writes ({writes / elapsed:.0f}/s), {reads} reads ({reads / elapsed:.0f}/s)")
    print(f"{changes} changes of the {len(SETTINGS) * len(workers)} values that readers watched")
    print("responses:", ", ".join(f"{what}: {count}" for what, count in sorted(statuses.items())))
    faults = [f"{worker.name}: {f}" for worker, o in zip(workers, outcomes, strict=True) for f in o["failures"]]
    faults += [f"{o['bad_reads']} reads of a wrong type" for o in outcomes if o["bad_reads"]]
    if not writes or not changes:
        faults.append("nothing was written, or readers saw no change: nothing is proved")
    return faults + _check_rules(outcomes, urls) + _check_readers(workers, urls)


def _check_rules(outcomes: Sequence[Mapping[str, Any]], urls: Sequence[str]) -> list[str]:
    """Check that there are exactly the rules whose creation was acknowledged and whose deletion was not."""
    created = [rule for outcome in outcomes for rule in outcome["created"]]
    deleted = [rule for outcome in outcomes for rule in outcome["deleted"]]
    faults = [f"created twice: {rule}" for rule in _twice(created)]
    faults += [f"deleted twice: {rule}" for rule in _twice(deleted)]
    wanted = set(created) - set(deleted)
    for url in urls:
        rules = {rule["rule_id"] for setting in _eventual_query(url, wanted).values() for rule in setting["rules"]}
        print(f"{len(rules)} rules in the end ({len(created)} created, {len(deleted)} deleted)")
        if rules != wanted:
            faults.append(f"{url}: lost rules {sorted(wanted - rules)}, unexpected rules {sorted(rules - wanted)}")
    return faults


def _twice(rules: Sequence[int]) -> list[int]:
    return [rule for rule, count in Counter(rules).items() if count > 1]


def _query(url: str) -> dict[str, Any]:
    settings: dict[str, Any] = httpx.get(f"{url}/api/v1/query").raise_for_status().json()["settings"]
    return settings


def _eventual_query(url: str, wanted: set[int]) -> dict[str, Any]:
    """Return all rules. Writes of another service arrive after a moment."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        settings = _query(url)
        rules = {rule["rule_id"] for setting in settings.values() for rule in setting["rules"]}
        if rules == wanted or time.monotonic() > deadline:
            return settings
        time.sleep(0.05)


def _check_readers(workers: Sequence[Worker], urls: Sequence[str]) -> list[str]:
    """Wait until the readers have followed, and compare each value with the definition."""
    began = time.monotonic()
    while True:
        mismatches = _mismatches(workers, urls)
        waited = time.monotonic() - began
        if not mismatches or waited > _PATIENCE:
            break
        time.sleep(0.05)
    values = sum(len(contexts_of(name)) for name in SETTINGS)
    print(f"{len(mismatches)} mismatches in {values} contexts of {len(workers)} readers, {waited:.1f} s after the end")
    return mismatches


def _mismatches(workers: Sequence[Worker], urls: Sequence[str]) -> list[str]:
    listings = [_listing(url) for url in urls]
    found = [f"{url} differs from {urls[0]}" for url, o in zip(urls, listings, strict=True) if o != listings[0]]
    order, _, queried = listings[0]
    for worker in workers:
        values = worker.ask("values")
        for name in SETTINGS:
            for context, value in zip(contexts_of(name), values[name], strict=True):
                right = resolve(queried[name], order, context)
                if value != right:
                    found.append(f"{worker.name} reads {name} as {value!r} for {context}, but it is {right!r}")
    return found


def _listing(url: str) -> tuple[list[str], Any, dict[str, Any]]:
    order = httpx.get(f"{url}/api/v1/context_features").raise_for_status().json()["context_features"]
    settings = httpx.get(f"{url}/api/v1/settings", params={"include_additional_data": True}).raise_for_status().json()
    return order, settings, _query(url)


def main() -> int:
    """Run both scenarios; return the exit code."""
    parser = argparse.ArgumentParser(description="Declare, change and read at once, and check the end.")
    parser.add_argument("--seconds", type=float, default=30, help="how long each scenario writes (default: 30)")
    seconds = parser.parse_args().seconds
    faults = run_scenario("two programs, one service", services=1, readers=2, seconds=seconds)
    faults += run_scenario("four programs, two services on one file", services=2, readers=4, seconds=seconds)
    for fault in faults[:30]:
        print("FAULT", fault)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
