"""``heksherlite schema``."""

import json

from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from tests.service.api import FEATURES, Api


def run(*arguments: str) -> Result:
    return CliRunner().invoke(heksherlite, ["schema", *arguments])


def test_the_schema_of_a_setting_is_shown() -> None:
    """It is the answer of the route, indented; what goes wrong is said in one line."""
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare("ttl", schema={"minimum": 1})
            result = run("ttl", "--url", service.url)
            assert (result.exit_code, json.loads(result.output)) == (0, api.get("settings/ttl/schema").json())
            assert '\n  "minimum": 1' in result.output
            missing = run("none", "--url", service.url)
            assert (missing.exit_code, "status 404" in missing.output, "none" in missing.output) == (1, True, True)
    unreachable = run("ttl", "--url", service.url)
    assert (unreachable.exit_code, "no response from" in unreachable.output) == (1, True)
    assert "Missing option '--url'" in run("ttl").output
