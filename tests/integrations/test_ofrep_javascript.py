"""The official JavaScript providers for OFREP, for servers and for browsers, against the service."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.integrations.flags import VALUES, declare_all
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

PROGRAMS = Path(__file__).parent / "javascript"

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        shutil.which("npm") is None, reason="Node.js with npm is not installed, which runs the providers"
    ),
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the programs and the packages that they use."""
    folder = tmp_path_factory.mktemp("javascript") / "programs"
    shutil.copytree(PROGRAMS, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(command, cwd=folder, check=False, timeout=300, capture_output=True, text=True)
    if "network" in installed.stderr or "ENOTFOUND" in installed.stderr or "ECONN" in installed.stderr:
        pytest.skip(f"the packages from npm cannot be had here: {installed.stderr[:500]}")
    assert installed.returncode == 0, installed.stderr
    return folder


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Api, str, dict[str, int]]]:
    """Return a service with flags that browsers see and one that they do not, a token for them, and the rules."""
    everything = make_token(tmp_path / "a.db", "everything", *EVERY_SCOPE)
    evaluates = make_token(tmp_path / "a.db", "browsers", Scope.EVALUATE)
    options = {"access": WITH_TOKENS, "context_features": FEATURES, "targeting_key_feature": "user"}
    with embedded(tmp_path / "a.db", **options) as running:  # type: ignore[arg-type]
        api = Api(running.url, token=everything)
        with api.http:
            rules = declare_all(api)
            show = [{"op": "set_client_visible", "setting": name, "client_visible": True} for name in VALUES]
            api.call("POST", "changes", {"operations": show}).raise_for_status()
            api.declare("hidden", type="bool", default_value=False)
            yield api, evaluates, rules


def test_the_provider_for_servers(service: tuple[Api, str, dict[str, int]], programs: Path) -> None:
    """The provider for servers evaluates flags one by one."""
    api, token, _ = service
    command = ["node", "server.mjs", api.url, token, json.dumps(VALUES)]
    result = subprocess.run(command, cwd=programs, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, "passed\n"), result.stderr


def test_the_provider_for_browsers(service: tuple[Api, str, dict[str, int]], programs: Path) -> None:
    """The provider for browsers has all visible flags at once, and hears of changes by the stream."""
    api, token, rules = service
    command = ["node", "web.mjs", api.url, token, json.dumps(VALUES)]
    with subprocess.Popen(
        command, cwd=programs, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line == "ready\n":
            api.call("PUT", f"rules/{rules['an_integer']}/value", {"value": 3}).raise_for_status()
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, line + output) == (0, "ready\npassed\n"), errors
