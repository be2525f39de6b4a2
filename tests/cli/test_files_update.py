"""Files that exist are updated with what the service has, and keep their comments, order and form."""

from pathlib import Path

import jsonschema_rs
import orjson
import pytest
import yaml

from heksherlite.cli.settings_dump import SCHEMA_URL
from heksherlite.cli.settings_files import SCHEMA
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.cli.terminal import Terminal
from tests.cli.test_repository import run, write
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

FILE = """\
# The settings of the checkout.
owner: checkout-team  # ask in the channel

settings:
    shop.title:
        rules: []
    # How long prices are cached.
    cache_ttl:
        default: 50  # seconds
        rules:
          - {where: {environment: dev}, value: 10}  # while we look
          # asked for
          - where: {user: '007'}
            value: 7
            from: 2030-01-01T00:00
          - {where: {user: jane}, value: 5, reason: "why: #1"}
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def changed_lines(before: str, after: str) -> tuple[set[str], set[str]]:
    """Return the lines that are gone, and those that are new."""
    return set(before.splitlines()) - set(after.splitlines()), set(after.splitlines()) - set(before.splitlines())


def test_what_others_changed_is_written_back(terminal: Terminal) -> None:
    """Only lines with what differs become others, and nothing differs afterwards."""
    write("checkout.yaml", FILE)
    run(terminal, "apply checkout.yaml --yes")
    assert "Wrote" not in run(terminal, "apply checkout.yaml --yes --write-back")[1]
    assert Path("checkout.yaml").read_text("utf-8") == FILE
    run(terminal, "set cache_ttl 99 --where environment=dev --yes")
    run(terminal, "set cache_ttl 8 --where user=007 --from 2031-01-01 --yes")
    run(terminal, "unset cache_ttl --where user=jane --yes")
    run(terminal, "settings default cache_ttl 45 --yes")
    run(terminal, "settings default shop.title on --yes")
    run(terminal, "set shop.title 12 --where user=1e5 --yes")
    dry = run(terminal, "apply checkout.yaml --dry-run --write-back")
    assert "dry run" in dry[0]
    assert Path("checkout.yaml").read_text("utf-8") == FILE
    Path("checkout.yaml").chmod(0o640)
    assert "Wrote checkout.yaml." in run(terminal, "apply checkout.yaml --yes --write-back --reason back")[1]
    written = Path("checkout.yaml").read_text("utf-8")
    gone, new = changed_lines(FILE, written)
    assert gone == {
        "        rules: []",
        "        default: 50  # seconds",
        "          - {where: {environment: dev}, value: 10}  # while we look",
        "            value: 7",
        "            from: 2030-01-01T00:00",
    }
    assert new == {
        "        default: 'on'",
        "        default: 45  # seconds",
        '          - {where: {user: "1e5"}, value: "12"}',
        "          - {where: {environment: dev}, value: 99}  # while we look",
        "            value: 8",
        '            from: "2031-01-01T00:00:00Z"',
    }
    assert Path("checkout.yaml").stat().st_mode & 0o777 == 0o640
    run(terminal, "apply checkout.yaml --yes --force")
    assert run(terminal, "plan checkout.yaml --exit-code")[0] == "Nothing differs.\n"


def test_only_yaml_is_written_back(terminal: Terminal) -> None:
    """A file of another form is refused before anything is changed."""
    write("a.json", '{"owner": "a", "settings": {"cache_ttl": {"default": 1}}}')
    before = terminal.api.state()
    assert "writes YAML files only, and a.json is none" in run(terminal, "apply a.json --yes --write-back", 2)[1]
    run(terminal, "plan a.json --out saved.plan")
    assert "needs files with settings" in run(terminal, "apply saved.plan --yes --write-back", 2)[1]
    assert terminal.api.state() == before


def test_a_dump_updates_a_file(terminal: Terminal) -> None:
    """A dump adds what the file does not have, and keeps settings that the pattern does not select."""
    write("checkout.yaml", FILE.replace("    cache_ttl:", "    other.one: {}\n    cache_ttl:"))
    run(terminal, "set shop.open true --where user=a --yes")
    assert "Updated 2 settings in checkout.yaml." in run(terminal, "dump 'shop.*' --output checkout.yaml")[1]
    text = Path("checkout.yaml").read_text("utf-8")
    assert changed_lines(FILE, text)[0] == set()
    assert text.endswith("    shop.open:\n        rules:\n          - {where: {user: a}, value: true}\n")
    assert "checkout.yaml is up to date." in run(terminal, "dump 'shop.*' --output checkout.yaml")[1]
    assert "has the owner checkout-team, not b" in run(terminal, "dump --owner b --output checkout.yaml", 2)[1]
    assert "exists and is malformed" in run(terminal, f"dump --output {write('bad.yaml', 'a: 1')}", 1)[1]
    assert "only YAML files are updated" in run(terminal, f"dump --output {write('a.json', '{}')}", 2)[1]
    assert "Missing option '--owner'" in run(terminal, "dump --output new.yaml", 2)[1]
    run(terminal, "dump --owner a --output new.yaml")
    first, _, rest = Path("new.yaml").read_text("utf-8").partition("\n")
    assert first.startswith("# yaml-language-server: $schema=https://")
    assert jsonschema_rs.validator_for(dict(SCHEMA)).is_valid(yaml.safe_load(rest))


def test_the_schema_is_published() -> None:
    """The file that editors load has the schema of the command, at the address that dumped files name."""
    published = Path(__file__).parents[2] / "docs" / "reference" / "settings-file.schema.json"
    assert orjson.loads(published.read_bytes()) == SCHEMA
    assert SCHEMA_URL.endswith("/docs/reference/settings-file.schema.json")


def test_a_plan_needs_no_right_to_write(tmp_path: Path) -> None:
    """A job of a pull request plans with a token that may only read, also if it is limited to some settings."""
    path = tmp_path / "a.db"
    writer = make_token(path, "writer", *EVERY_SCOPE)
    reader = make_token(path, "reader", Scope.READ, setting_prefix="shop.")
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=writer)
        with api.http:
            api.declare("shop.size", type="int", default_value=1, configurable_features=["user"])
            terminal = Terminal(api, tmp_path)
            file = write(
                "shop.yaml", "owner: a\nsettings:\n  shop.size:\n    rules:\n      - {where: {user: a}, value: 2}\n"
            )
            for command in (f"plan {file}", f"validate --online {file}", f"apply {file} --dry-run"):
                terminal.run(*command.split(), HEKSHER_TOKEN=reader)
            refused = terminal.try_("apply", file, "--yes", HEKSHER_TOKEN=reader)
            assert (refused.exit_code, "scope write" in refused.stderr) == (1, True)
            assert api.rule_ids("shop.size") == []
            assert terminal.try_("apply", file, "--yes", HEKSHER_TOKEN=writer).exit_code == 0
            assert api.call("POST", "changes", {"operations": []}).status_code == 200
            mine = {"Authorization": f"Bearer {reader}"}
            assert api.call("POST", "changes", {"operations": []}, headers=mine).status_code == 403
