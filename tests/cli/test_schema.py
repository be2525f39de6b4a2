"""``heksherlite schema``."""

from tests.cli.terminal import Terminal


def test_the_schema_of_a_setting_is_shown(terminal: Terminal) -> None:
    """It is the answer of the route, indented; what goes wrong is said in one line."""
    terminal.api.declare("ttl", schema={"minimum": 1})
    shown = terminal.run("schema", "ttl")
    assert '\n  "minimum": 1' in shown
    assert terminal.api.get("settings/ttl/schema").json()["minimum"] == 1
    assert "setting 'none' does not exist" in terminal.refused("schema", "none")
    assert "cannot connect to" in terminal.refused("schema", "ttl", "--url", "http://127.0.0.1:9")
