"""The example program that a person approves, in a process of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

PROGRAM = Path(__file__).parents[2] / "examples" / "approved_client.py"
SECONDS = 120


class Program:
    """The program that requests its configuration."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.running = running
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line_with(self, text: str) -> str:
        """Return the next line with this text from the instructions that the program prints."""
        while True:
            line = self._lines.get(timeout=SECONDS)
            if text in line:
                return line.strip()

    def output(self) -> str:
        """Return what the program prints, after it has ended."""
        assert self.running.stdout is not None
        output = self.running.stdout.read()
        assert self.running.wait(SECONDS) == 0
        return output

    def _read(self) -> None:
        assert self.running.stderr is not None
        for line in self.running.stderr:
            self._lines.put(line)


@contextmanager
def program(url: str, folder: Path) -> Iterator[Program]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FAKTS_", "HEKSHER_"))}
    command = [sys.executable, "-W", "error", str(PROGRAM), url]
    with subprocess.Popen(
        command, cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield Program(running)
        finally:
            running.kill()
