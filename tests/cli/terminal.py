"""Commands that are run against a service."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from tests.service.api import Api

_ON_A_TERMINAL = """
import fcntl, termios
from heksherlite.cli import main

fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C there is a signal to this process
main()
"""


class Terminal:
    """Runs commands against one service, without a terminal."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.variables = {"HEKSHER_URL": api.url, "XDG_CONFIG_HOME": str(folder), "HEKSHER_TOKEN": ""}

    def try_(self, *arguments: str, sent: str | None = None, **variables: str | None) -> Result:
        environment: dict[str, str | None] = {**self.variables, "HEKSHER_TOKEN": None, **variables}
        return CliRunner().invoke(heksherlite, arguments, input=sent, env=environment)

    def on_a_terminal(self, *arguments: str, answer: bytes, **variables: str) -> tuple[int, bytes]:
        """Run a command on a pseudo-terminal, and answer its question. Return its status and what it showed."""
        controller, end = pty.openpty()
        command = [sys.executable, "-c", _ON_A_TERMINAL, *arguments]
        environment = {**os.environ, **self.variables, **variables}
        with subprocess.Popen(
            command, stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True
        ) as process:
            os.close(end)
            shown = b""
            while b"[y/N]" not in shown:
                shown += os.read(controller, 10_000)
            # Python misses a Ctrl-C that comes just before it waits for the answer. A second one as it ends kills it.
            for _ in range(6):
                os.write(controller, answer)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                    break
            process.kill()  # if it still waits
        os.close(controller)
        return process.returncode, shown

    def run(self, *arguments: str, sent: str | None = None, **variables: str | None) -> str:
        result = self.try_(*arguments, sent=sent, **variables)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json"))

    def refused(self, *arguments: str, status: int = 1, **variables: str | None) -> str:
        result = self.try_(*arguments, **variables)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.stderr
