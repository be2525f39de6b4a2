"""A terminal of a reader who follows a page, with its own home directory and service."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import randrange

from tests.documentation.pages import ROOT, Block

ADDRESS = "127.0.0.1:8888"
_COMMANDS = Path(__file__).parent / "bin"


class Terminal:
    """Runs blocks one after the other in one folder.

    What a block exports, writes or starts is there for the blocks after it. The service is on a free port, which is put
    in the place of the port that pages mention.
    """

    def __init__(self, folder: Path, replacements: dict[str, str]) -> None:
        self.folder = folder
        self._port = _free_port()
        self._replacements = {ADDRESS: f"127.0.0.1:{self._port}", **replacements}
        folder.joinpath("examples").symlink_to(ROOT / "examples")
        self._exports = folder / ".exports"
        self._exports.touch()
        self._pid = folder / "service.pid"
        self._environment = {
            "PATH": os.pathsep.join((str(_COMMANDS), str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(folder),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "PROJECT": str(ROOT / "pyproject.toml"),
            "PYTHONUNBUFFERED": "1",
            "HEKSHER_URL": self.url(),  # commands find a service on port 8888 without it
            "SERVICE_PORT": str(self._port),
            "SERVICE_FOLDER": str(folder),
        }

    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def serve(self) -> None:
        """Start the service that a page assumes."""
        if not self._pid.exists():
            command = 'heksherlite serve --context-features "environment;user;theme"\n'
            self.shell(Block("the service of the page", "", "sh", command))

    def close(self) -> None:
        """End the service."""
        if self._pid.exists():
            os.kill(int(self._pid.read_text()), signal.SIGTERM)

    def shell(self, block: Block) -> str:
        """Run a block as bash would, and return what it prints."""
        return self._run(block, f"set -euo pipefail\n{self._filled(block.text)}\nexport -p > {self._exports}\n")

    def python(self, block: Block) -> str:
        """Run a block as a program, which prints no errors, and return what it prints."""
        program = self.folder / "program.py"
        program.write_text(self._filled(block.text), "utf-8")
        output = self._run(block, '"$PYTHON" -W error program.py')
        if "def test_" in block.text:
            tests = "test_program.py"
            self.folder.joinpath(tests).write_text(program.read_text("utf-8"), "utf-8")
            printed = self._run(block, f'"$PYTHON" -m pytest -p no:cacheprovider -c {os.devnull} {tests}')
            assert re.search(r"\b[1-9]\d* passed\b", printed), printed
        return output

    def write(self, name: str, text: str) -> None:
        """Keep a block as a file."""
        self.folder.joinpath(name).write_text(self._filled(text), "utf-8")

    def _filled(self, text: str) -> str:
        for written, real in self._replacements.items():
            text = text.replace(written, real)
        return text

    def _run(self, block: Block, script: str) -> str:
        # Into files, for whatever goes on in the background would keep pipes open.
        out, err = self.folder / ".stdout", self.folder / ".stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.run(
                ["/bin/bash", "-c", f". {self._exports}\n{script}"],
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=240,
                check=False,
            )
        printed, errors = out.read_text("utf-8"), err.read_text("utf-8")
        assert process.returncode == 0, f"{block.place} exits {process.returncode}:\n{printed}{errors}"
        if block.language == "python":
            assert errors == "", f"{block.place} prints on the standard error:\n{errors}"
        return printed


def _free_port() -> int:
    """Return a port that is free, and that no connection of other tests is given before the service takes it."""
    while True:
        port = randrange(15_000, 32_000)  # noqa: S311 - below those that systems give to connections
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
