"""Commands that are run against a service."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from tests.service.api import Api


class Terminal:
    """Runs commands against one service, without a terminal."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.variables = {"HEKSHER_URL": api.url, "XDG_CONFIG_HOME": str(folder), "HEKSHER_TOKEN": ""}

    def try_(self, *arguments: str, sent: str | None = None, **variables: str | None) -> Result:
        environment: dict[str, str | None] = {**self.variables, "HEKSHER_TOKEN": None, **variables}
        return CliRunner().invoke(heksherlite, arguments, input=sent, env=environment)

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
