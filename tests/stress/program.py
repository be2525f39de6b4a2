"""One process of the stress test: a reader with an SDK client, and a writer on another thread.

Usage: ``python -m tests.stress.program (async|thread) URL SEED``. Each line of its input is a command; see ``Program``.
"""

import asyncio
import json
import logging
import random
import sys
import threading
import time
import traceback
from typing import Any

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
from tests.stress.domain import FEATURES, SETTINGS, contexts_of
from tests.stress.writer import Writer

UPDATE_INTERVAL = 0.2
_EXPECTED = frozenset({"context feature mismatch"})
"""Warnings that the moving of context features has to cause."""


class Program:
    """Reads and writes.

    Args:
        url: The service.
        seed: Makes the choices of reader and writer.
    """

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._seed = seed
        self._settings: list[Setting[int] | Setting[str]] = [
            Setting(name, int, features, 0) if kind is int else Setting(name, str, features, "0")
            for name, (kind, features) in SETTINGS.items()
        ]
        self._log = _Log()
        logging.getLogger("heksherlite").addHandler(self._log)

    def track(self, client: AsyncHeksherClient | ThreadHeksherClient) -> None:
        """Make a client fetch all rules."""
        client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))

    def work(self, seconds: float) -> dict[str, Any]:
        """Read on this thread and write on another for a while, and return what was done."""
        writer = Writer(self._url, self._seed)
        thread = threading.Thread(target=writer.write, args=(seconds,), daemon=True)
        thread.start()
        chance = random.Random(self._seed)  # noqa: S311 - repeatable choices
        reads = bad_reads = changes = 0
        last: dict[str, int | str] = {}
        contexts = {setting.name: contexts_of(setting.name) for setting in self._settings}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for setting in self._settings:
                for context in chance.sample(contexts[setting.name], 4):
                    value = setting.get(**context)
                    bad_reads += type(value) is not SETTINGS[setting.name][0]
                key = contexts[setting.name][0]
                value = setting.get(**key)
                changes += last.get(setting.name, value) != value
                last[setting.name] = value
                reads += 5
            time.sleep(0.01)  # leaves the processors to the writers and the services
        thread.join(60)
        if thread.is_alive():
            raise TimeoutError("the writer does not end")
        return {**vars(writer.outcome), "reads": reads, "bad_reads": bad_reads, "changes": changes}

    def values(self) -> dict[str, list[int | str]]:
        """Read every setting in every context."""
        return {
            setting.name: [setting.get(**context) for context in contexts_of(setting.name)]
            for setting in self._settings
        }

    def log(self) -> list[str]:
        """Return the warnings and errors so far."""
        return self._log.lines


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() not in _EXPECTED:
            self.lines.append(f"{self.format(record)} {vars(record).get('response', '')}")


def run_command(program: Program, line: str) -> None:
    """Run one command, and print its result."""
    command = json.loads(line)
    try:
        response = {"response": getattr(program, command.pop("do"))(**command)}
    except Exception:  # noqa: BLE001 - handed to the one who asked
        response = {"error": traceback.format_exc()}
    print(json.dumps(response), flush=True)  # noqa: T201 - this is the exchange


async def run_async(program: Program, url: str) -> None:
    """Run the commands on other threads while an asynchronous client updates."""
    client = AsyncHeksherClient(url, UPDATE_INTERVAL, FEATURES)
    program.track(client)
    async with client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            await asyncio.to_thread(run_command, program, line)


def run_thread(program: Program, url: str) -> None:
    """Run the commands with a thread client."""
    client = ThreadHeksherClient(url, UPDATE_INTERVAL, FEATURES)
    program.track(client)
    with client:
        for line in sys.stdin:
            run_command(program, line)


def main() -> None:
    """Run commands until there are no more."""
    flavour, url, seed = sys.argv[1:]
    program = Program(url, int(seed))
    if flavour == "async":
        asyncio.run(run_async(program, url))
    else:
        run_thread(program, url)


if __name__ == "__main__":
    main()
