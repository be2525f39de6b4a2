"""Communication with a worker process by lines of JSON on its standard input and output."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class WorkerError(Exception):
    """A worker failed or ended."""


class Worker:
    """A process that executes commands. It ends with the ``with`` block.

    Args:
        name: For messages.
        command: What to run.
        folder: Where to run it; by default here.
    """

    def __init__(self, name: str, command: Sequence[str | Path], *, folder: Path | None = None) -> None:
        self.name = name
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: str, **arguments: Any) -> Any:
        """Execute a command, and return its result.

        Raises:
            WorkerError: It failed.
        """
        self.tell(what, **arguments)
        return self.hear()

    def tell(self, what: str, **arguments: Any) -> None:
        """Send a command, without waiting for the result."""
        assert self._process.stdin is not None
        print(json.dumps({"do": what, **arguments}), file=self._process.stdin, flush=True)

    def hear(self) -> Any:
        """Wait for the result of the command that was sent.

        Raises:
            WorkerError: It failed.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.name} ended with code {self._process.wait()}; see its output above")
        response = json.loads(line)
        if "error" in response:
            raise WorkerError(f"{self.name} failed:\n{response['error']}")
        return response["response"]

    def leave(self) -> None:
        """Close the standard input of the worker, so that it ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            sys.stderr.write(f"{self.name} does not end: killed\n")
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
