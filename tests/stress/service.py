"""A service in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.stress.domain import FEATURES


class ServiceProcess:
    """``python -m heksherlite serve`` on a free port, within a ``with`` block.

    Args:
        database: The SQLite file.
        log: Where the service's output is kept.
    """

    def __init__(self, database: Path, log: Path) -> None:
        self._log = log
        self._output: IO[bytes] = log.open("wb")
        command = [sys.executable, "-m", "heksherlite", "serve", "--port", "0"]
        command += ["--database", f"sqlite:///{database}", "--context-features", ";".join(FEATURES)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._output, text=True)
        self.url = ""
        """Where the service is, within the block."""

    def problems(self) -> list[str]:
        """Return the log without its INFO records, and the exit code if it is not 0. Call it after the block."""
        lines = [
            line
            for line in self._log.read_text().splitlines()
            if re.search(r"WARNING|ERROR|CRITICAL|Traceback|Error\b", line)
        ]
        if self._process.returncode:
            lines.append(f"the service ended with code {self._process.returncode}")
        return lines

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            self._end()
            raise RuntimeError(f"the service did not start:\n{line}{self._log.read_text()}")
        self.url = found.group()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._output.close()
