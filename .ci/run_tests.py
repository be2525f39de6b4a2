"""Runs tests, and those that failed once more, one at a time; keeps both outputs.

On a busy machine, a test with real processes may be too slow beside others. One that passes alone passes, and is listed
as flaky, so that it is seen and mended.

Usage: python .ci/run_tests.py FOLDER COMMAND...

COMMAND runs pytest, directly or in a shell. FOLDER gets first.txt and alone.txt with the outputs, and flaky.txt with
the names of the tests that failed at first and passed alone.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

LONGEST = 30 * 60  # seconds; normally it is a quarter of that

ALONE = ["python", "-m", "pytest", "--last-failed", "--last-failed-no-failures=none", "--numprocesses=0", "-m", ""]


def run(command: list[str], cache: Path, output: Path) -> int:
    """Run a command that runs pytest, write what it prints to the standard output and a file, and return its status.

    A command that hangs is killed with everything that it started.
    """
    environment = {**os.environ, "PYTEST_ADDOPTS": f"--override-ini=cache_dir={cache}"}
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        assert process.stdout is not None
        limit = threading.Timer(LONGEST, os.killpg, (process.pid, signal.SIGKILL))
        limit.start()
        try:
            while piece := os.read(process.stdout.fileno(), 65536):
                for place in (file, sys.stdout.buffer):
                    place.write(piece)
                    place.flush()
        finally:
            limit.cancel()
    return process.returncode


def failed_tests(cache: Path) -> set[str]:
    """Return the tests that failed when they ran last."""
    file = cache / "v" / "cache" / "lastfailed"
    return set(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else set()


def main(folder: Path, *command: str) -> int:
    """Run the tests, and return the exit status."""
    folder.mkdir(parents=True)
    cache = folder.resolve() / "cache"
    status = run([*command], cache, folder / "first.txt")
    failed = failed_tests(cache)
    if status == 0 or not failed:
        return status
    print(f"\n== Again, one at a time: {len(failed)} that failed", flush=True)
    status = run(ALONE, cache, folder / "alone.txt")
    flaky = sorted(failed - failed_tests(cache))
    folder.joinpath("flaky.txt").write_text("".join(f"{name}\n" for name in flaky), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
