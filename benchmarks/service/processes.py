"""Services and other programs that run beside the benchmark, and what they take."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heksherlite.service.transfer.lines import end_line, header_line, line

FEATURES = ["environment", "user"]


@dataclass(frozen=True, slots=True)
class Running:
    """A program that responses.

    Attributes:
        url: Where it is.
        pid: Its process.
        start: Seconds from its start until its first response.
    """

    url: str
    pid: int
    start: float

    def memory(self, kind: str) -> float:
        """Return its memory in MB: ``VmRSS`` is what it has now, ``VmHWM`` the most that it had."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1e3


@contextmanager
def service(database: str, *options: str) -> Iterator[Running]:
    """Run a service on a database."""
    command = [sys.executable, "-m", "heksherlite", "serve", "--port", "0", "--context-features", ";".join(FEATURES)]
    with _running([*command, "--database", database, *options], None) as running:
        yield running


@contextmanager
def constants(responses: Mapping[str, tuple[int, Mapping[str, str], str]]) -> Iterator[Running]:
    """Run an application that gives these responses, by path."""
    with _running([sys.executable, str(Path(__file__).with_name("constant.py"))], json.dumps(responses)) as running:
        yield running


@contextmanager
def filled(settings: int, rules: int) -> Iterator[str]:
    """Make a SQLite database with so many settings and so many rules of each, imported from a file."""
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        database = f"sqlite:///{folder}/settings.db"
        write_export(Path(folder, "export.jsonl"), settings, rules)
        import_export(Path(folder, "export.jsonl"), database)
        yield database


def import_export(file: Path, database: str) -> tuple[float, float]:
    """Import a file; return the seconds that it took, and the most memory that it had, in MB."""
    # GNU time is not everywhere, so a program of two lines looks at itself.
    program = (
        "import resource, sys; from heksherlite.cli.commands import heksherlite;"
        "heksherlite(sys.argv[1:], standalone_mode=False);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, "import", str(file), "--database", database],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, float(done.stdout.splitlines()[-1])


def write_export(file: Path, settings: int, rules: int) -> None:
    """Write an export with so many settings and so many rules of each, on the environment and the user."""
    with file.open("wb") as output:
        output.write(header_line(FEATURES))
        for number in range(settings):
            output.write(line({"setting": _setting(f"setting_{number}")}))
            for index in range(rules):
                values = {"environment": f"e{index % 10}", "user": f"u{index}"}
                rule = {"rule_id": number * rules + index + 1, "feature_values": values, "value": index, "metadata": {}}
                output.write(line({"rule": rule}))
        output.write(end_line(settings, settings * rules, settings * rules))


def _setting(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "int",
        "default_value": 0,
        "configurable_features": FEATURES,
        "version": "1.0",
        "metadata": {},
        "aliases": [],
    }


@contextmanager
def _running(command: list[str], given: str | None) -> Iterator[Running]:
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(given or "")
            process.stdin.close()
            announced = process.stdout.readline()
            found = re.search(r"http://\S+", announced)
            if found is None:
                raise RuntimeError(f"{' '.join(command)} did not start: {announced!r}")
            yield Running(found[0], process.pid, time.perf_counter() - start)
        finally:
            process.terminate()
