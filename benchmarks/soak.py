"""A client under faults at random: memory, threads, file descriptors and log records must stay flat.

Usage: ``python benchmarks/soak.py [--seconds 600] [--seed 1]``. A service with a proxy that misbehaves runs in a
process of its own; this one has the client, which polls twenty times a second while all is well, and prints what it
has, twenty times in all.
"""

import argparse
import logging
import random
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient, pinned
from heksherlite.service import embedded
from tests.faults.faults import ALL, QUICK
from tests.faults.proxy import FaultProxy
from tests.service.api import Api

_SETTINGS = 20
_ROWS = 20
_INTERVAL = 0.05


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description="Have a client live with faults at random.")
    parser.add_argument("--seconds", type=float, default=600, help="how long, 600 by default")
    parser.add_argument("--seed", type=int, default=1, help="for the choice of faults")
    parser.add_argument("--pinned", action="store_true", help="read in overlapping blocks of pinned()")
    parser.add_argument("--world", action="store_true", help="run the service and its faults (for this program itself)")
    arguments = parser.parse_args()
    if arguments.world:
        run_world(arguments.seed)
    else:
        run_client(arguments.seconds, arguments.seed, in_blocks=arguments.pinned)


def run_world(seed: int) -> None:
    """Run a service behind a proxy with faults, print its URL, and end with the standard input."""
    chance = random.Random(seed)  # noqa: S311 - to have the same faults again
    with embedded(context_features=["user"]) as service, FaultProxy(service.url) as proxy:
        api = Api(service.url)
        print(proxy.url, flush=True)
        rule_id = None
        while not select.select([sys.stdin], [], [], chance.uniform(0.3, 1.5))[0]:
            name, failure = chance.choice(list(ALL.items()))
            print(name, file=sys.stderr)
            proxy.fault = failure.fault
            if rule_id is None and api.get("settings/setting_0").status_code == 200:
                rule_id = api.add_rule(0, "setting_0", user="a")
            if rule_id is not None:
                api.call("PUT", f"rules/{rule_id}/value", {"value": chance.randrange(1000)})
            time.sleep(chance.uniform(0.05, 0.3))
            proxy.fault = None
        api.close()


def run_client(seconds: float, seed: int, *, in_blocks: bool) -> None:
    """Run a client of that service, and print what it takes."""
    records = Records()
    logging.getLogger("heksherlite").addHandler(records)
    logging.getLogger("heksherlite").setLevel(logging.INFO)
    logging.getLogger("heksherlite").propagate = False
    command = [sys.executable, __file__, "--world", "--seed", str(seed)]
    with (
        tempfile.TemporaryDirectory(prefix="heksherlite-soak-") as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as world,
    ):
        assert world.stdout is not None
        settings = [Setting(f"setting_{number}", int, ["user"], -1) for number in range(_SETTINGS)]
        url = world.stdout.readline().strip()
        client = ThreadHeksherClient(url, _INTERVAL, ["user"], snapshot=folder, max_body_size=1 << 20, **QUICK)
        client.track_contexts(user=TRACK_ALL)
        changes: list[int] = [0]
        settings[0].on_change(lambda *_: changes.__setitem__(0, changes[0] + 1))
        with client:
            print(f"{'seconds':>8} {'memory':>10} {'threads':>8} {'files':>6} {'records':>8} {'changes':>8}  state")
            started = time.monotonic()
            for row in range(1, _ROWS + 1):
                end = started + seconds * row / _ROWS
                while time.monotonic() < end:
                    read_in_blocks(settings) if in_blocks else read(settings)
                files = len([*Path("/proc/self/fd").iterdir()])
                print(
                    f"{time.monotonic() - started:8.0f} {resident_kilobytes():7,} kB {threading.active_count():8} "
                    f"{files:6} {records.count:8} {changes[0]:8}  {client.status.state}",
                    flush=True,
                )
        world.terminate()


def read(settings: Sequence[Setting[int]]) -> None:
    """Read each setting, and pause."""
    for setting in settings:
        setting.get(user="a")
    time.sleep(0.001)


def read_in_blocks(settings: Sequence[Setting[int]]) -> None:
    """Read each setting in blocks that overlap, as requests do, for about a second."""
    with ThreadPoolExecutor(4) as pool:
        for block in [pool.submit(read_in_block, settings, 0.01 * number) for number in range(20)]:
            block.result()


def read_in_block(settings: Sequence[Setting[int]], seconds: float) -> None:
    """Read each setting twice in a block, and check that nothing changed in between."""
    with pinned():
        before = [setting.get(user="a") for setting in settings]
        time.sleep(seconds)
        assert before == [setting.get(user="a") for setting in settings]


class Records(logging.Handler):
    """Counts log records."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        del record
        self.count += 1


def resident_kilobytes() -> int:
    """Return how much memory this process has, as Linux counts it."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
