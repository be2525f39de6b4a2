"""What commands print with ``-o json`` has the published schema, for a program and on a terminal alike."""

import json
import shlex
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
import yaml

from heksherlite.cli.output_schemas import OUTPUTS, output_schema, output_schemas
from heksherlite.service import embedded
from tests.cli.terminal import Terminal
from tests.cli.test_conventions import COMMANDS
from tests.service.api import FEATURES, Api

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "output.schema.json"
FILE = "owner: a\nsettings:\n  shop.title:\n    default: x\n    rules:\n      - {where: {user: a}, value: y}\n"
PROGRAM = """\
from heksherlite import Setting

ttl = Setting("cache_ttl", int, ["user"], default_value=61)
new = Setting("new_one", str, ["user"], default_value="a")
"""


def commands_with_formats() -> set[str]:
    return {
        name
        for name, command in COMMANDS.items()
        for option in command.params
        if option.name == "output" and isinstance(option.type, click.Choice) and "jsonl" in option.type.choices
    }


def test_every_command_has_a_published_schema() -> None:
    """``python -m heksherlite.cli.output_schemas > docs/reference/output.schema.json`` publishes them."""
    assert commands_with_formats() == OUTPUTS.keys()
    assert json.loads(PUBLISHED.read_text("utf-8")) == output_schemas()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a terminal beside a service of its own, in a folder with files."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(FILE, "utf-8")
    Path("schema_program.py").write_text(PROGRAM, "utf-8")
    with embedded(tmp_path / "a.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare()
            api.declare("shop.title", type="str", default_value="shop", configurable_features=["user"])
            yield Terminal(api, tmp_path)


SESSION = """\
set cache_ttl 10 --where user=john --until 2999-01-01 --reason cold --yes
set cache_ttl 11 --where user=john --dry-run
set cache_ttl 12 --where user=john --propose
settings list
settings list --search 10 --context user=john
settings show cache_ttl
get cache_ttl --context user=john,environment=dev
explain cache_ttl --context user=john
explain cache_ttl --context user=john,environment=dev
rules list cache_ttl
rules delete 1 --dry-run
history list
history show {revision}
proposals list
proposals show 1
proposals create operations.json --dry-run
proposals create operations.json
proposals approve 1 --dry-run
proposals approve 1 --yes
settings delete shop.title --dry-run
settings rename shop.title shop.name --dry-run
settings default shop.title z --yes
settings default shop.title --clear --yes
settings protect shop.title --dry-run
settings show-to-clients shop.title --dry-run
validate a.yaml
dump "shop.*" --owner shop
plan a.yaml
apply a.yaml --yes
apply a.yaml --dry-run
diff @1 @
check schema_program
edit cache_ttl
unset cache_ttl --where user=john --yes
revert {revision} --dry-run
revert {revision} --yes
import export.jsonl --url {url} --replace --dry-run
import export.jsonl --url {url} --replace --yes
profile list
"""


def test_outputs_have_their_schemas(alone: Terminal) -> None:
    """A session with every command: each output is valid, and is the same in all formats."""
    Path("operations.json").write_text('[{"op": "set_default", "setting": "cache_ttl", "value": 5}]', "utf-8")
    alone.run("profile", "add", "here", alone.api.url)
    alone.run("export", "--url", alone.api.url, "--output", "export.jsonl")
    ran = set()
    for line in SESSION.splitlines():
        words = shlex.split(line.format(revision=alone.api.revision(), url=alone.api.url))
        (command,) = {" ".join(words[:2]), words[0]} & OUTPUTS.keys()
        ran.add(command)
        shown = json.loads(alone.run(*words, "-o", "json", VISUAL="true"))
        errors = [str(error) for error in jsonschema_rs.validator_for(output_schema(command)).iter_errors(shown)]
        assert not errors, (line, errors)
        if "--dry-run" in words or {"--yes", "--propose", "create"}.isdisjoint(words):
            assert yaml.safe_load(alone.run(*words, "-o", "yaml", VISUAL="true")) == shown
            lines = [json.loads(each) for each in alone.run(*words, "-o", "jsonl", VISUAL="true").splitlines()]
            assert lines == (shown if isinstance(shown, list) else [shown])
    elsewhere = {name for name in OUTPUTS if name.split()[0] in {"app", "declarer", "group", "token"}}
    assert OUTPUTS.keys() - ran - elsewhere == {"watch", "proposals reject", "proposals withdraw", "proposals comment"}


def test_a_conflict_is_an_object(alone: Terminal) -> None:
    """A proposal that cannot be applied any more lists its conflicts with their fields."""
    alone.run("set", "cache_ttl", "10", "--where", "user=john", "--yes")
    alone.run("unset", "cache_ttl", "--where", "user=john", "--propose")
    alone.run("unset", "cache_ttl", "--where", "user=john", "--yes")
    (shown,) = [alone.json("proposals", "show", "1")]
    assert jsonschema_rs.validator_for(output_schema("proposals show")).is_valid(shown)
    assert shown["conflicts"][0]["operation"] == 0
