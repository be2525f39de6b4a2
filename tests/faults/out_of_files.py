"""A program that may not open files any more for a while; run by ``test_processes.py``.

``python -m tests.faults.out_of_files KIND URL`` prints a line of JSON while it lasts, and one when it is over, which is
when it reads a line.
"""

import json
import logging
import os
import resource
import sys
from contextlib import suppress
from typing import Any

from heksherlite import Setting
from tests.faults.program import Program, program_of, without_reason
from tests.waiting import until


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.levelname} {without_reason(record)}")


def main(program: Program, url: str) -> None:
    """Use up all file descriptors, and release them."""
    records = _Records()
    logging.getLogger("heksherlite").addHandler(records)
    logging.getLogger("heksherlite").setLevel(logging.INFO)
    setting = Setting("x", int, ["environment", "user"], 0)
    client = program.run(url)

    def tell(**more: Any) -> None:
        value = setting.get(environment="e", user="a")
        print(json.dumps({"value": value, "state": client.status.state, **more}), flush=True)  # noqa: T201

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def fails_without_files() -> bool:
        with suppress(OSError):  # nothing is left
            lowest = os.dup(0)
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        return client.status.consecutive_failures > 1

    # Again and again, because a poll under way has a file that is free afterwards.
    until(fails_without_files)
    tell(error=type(client.status.last_error).__name__)
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    program.wait_until_fresh(client)
    tell(records=records.messages)


if __name__ == "__main__":
    with program_of(sys.argv[1]) as the_program:
        main(the_program, sys.argv[2])
