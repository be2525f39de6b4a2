"""Commands about access: their outputs for programs, dry runs and reasons."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml

from heksherlite.cli.output_schemas import OUTPUTS, output_schema
from heksherlite.service import embedded
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api
from tests.service.applications import SHOP
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

ACCESS = {name for name in OUTPUTS if name.split()[0] in {"app", "declarer", "group", "token"}}
DISCUSSING = {"proposals reject", "proposals withdraw", "proposals comment"}


class Access:
    """Runs commands with each form of output, on a service over HTTP or on its database."""

    def __init__(self, terminal: Terminal, place: list[str]) -> None:
        self.terminal = terminal
        self.place = place
        self.ran: set[str] = set()

    def run(self, line: str, sent: str = "") -> Any:
        """Run a command, and return its valid output. What changes nothing is run with the other forms, too."""
        words = [*shlex.split(line), *self.place]
        command = next(name for count in (3, 2) if (name := " ".join(words[:count])) in OUTPUTS)
        self.ran.add(command)
        shown = json.loads(self.terminal.run(*words, "-o", "json", sent=sent))
        errors = [str(error) for error in jsonschema_rs.validator_for(output_schema(command)).iter_errors(shown)]
        assert not errors, (line, errors)
        changes_nothing = "--dry-run" in words or words[1] in {"list", "show"} or words[2] == "list"
        if changes_nothing and "--database" not in words:  # the forms do not depend on the place
            assert yaml.safe_load(self.terminal.run(*words, "-o", "yaml", sent=sent)) == shown
            lines = [json.loads(each) for each in self.terminal.run(*words, "-o", "jsonl", sent=sent).splitlines()]
            assert lines == (shown if isinstance(shown, list) else [shown])
        return shown

    def both(self, line: str, sent: str = "") -> Any:
        """Make a dry run, which leaves no record in the history, and then the change, which leaves one."""
        before = self.terminal.api.history(limit=1)[0]
        assert self.run(f"{line} --dry-run", sent)["dry_run"]
        assert "This was a dry run: " in self.terminal.run(*shlex.split(f"{line} --dry-run"), *self.place, sent=sent)
        assert self.terminal.api.history(limit=1)[0] == before
        return self.run(line, sent)


@pytest.fixture(params=["service", "database"])
def access(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Access]:
    monkeypatch.chdir(tmp_path)
    Path("db.json").write_text('{"host": "a", "password": {"$secret": "pw"}}', "utf-8")
    token = make_token(tmp_path / "a.db", "admin", *EVERY_SCOPE)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=token)
        with api.http:
            api.declare()
            by_url, by_path = ["--url", api.url, "--token", token], ["--database", f"sqlite:///{tmp_path}/a.db"]
            yield Access(Terminal(api, tmp_path), by_url if request.param == "service" else by_path)


def start(api: Api) -> str:
    code: str = httpx.post(f"{api.url}/f/start/", json={"manifest": SHOP.parts()}).json()["code"]
    return code


def test_tokens_and_declarers(access: Access) -> None:
    """Each output is valid and the same in all forms, dry runs change nothing, and reasons are kept."""
    access.both("token create ci --scope read --owner jane --reason 'for CI'")
    (ci,) = [each for each in access.run("token list") if each["name"] == "ci"]
    assert (ci["scopes"], ci["owner"], ci["expires_at"]) == (["read"], "jane", None)
    access.both("declarer add cache_ttl --token-id " + ci["public_prefix"])
    assert {"kind": "token", "id": ci["public_prefix"], "name": "ci"} in access.run("declarer list cache_ttl")
    access.both("declarer remove cache_ttl --token-id " + ci["public_prefix"] + " --reason 'no more'")
    assert access.terminal.api.history(limit=1)[0]["reason"] == "no more"
    access.both("token rotate-signing-key --reason leaked")
    access.both("token revoke ci --reason 'the end'")
    assert access.ran == {name for name in ACCESS if name.split()[0] in {"token", "declarer"}}


def test_applications_and_groups(access: Access) -> None:
    """Each output is valid and the same in all forms, dry runs change nothing, and reasons are kept."""
    run, both = access.run, access.both
    both("group secret set pw --reason new", "s3cret\n")
    assert access.terminal.api.history(limit=1)[0]["reason"] == "new"
    assert run("group secret list") == ["pw"]
    both("group set db db.json")
    assert run("group show db")["host"] == "a"
    assert both("app invite shop --scope read --group db --expires 2d")["one_time_token"]
    kiosk = both("app register kiosk --public")["id"]
    assert {each["identifier"] for each in run("app list")} == {"shop", "kiosk"}
    assert run(f"app show {kiosk}")["status"] == "public"
    both(f"group attach db {kiosk}")
    (db,) = run("group list")
    assert (db["name"], db["keys"], db["secrets"]) == ("db", ["host", "password"], ["pw"])
    assert sorted(db["applications"]) == ["kiosk", "shop"]
    assert both(f"app expire {kiosk} --expires 2030-01-31")[0]["expires_at"] == "2030-01-31T00:00:00Z"
    assert both(f"app rotate {kiosk}")["api_token"]
    assert run(f"app show {kiosk}")["previous_expires_at"] is not None
    both(f"group detach db {kiosk}")
    assert [each["identifier"] for each in both("app revoke --identifier shop --yes")] == ["shop"]
    both("group remove db")
    both("group secret remove pw")
    assert both(f"app approve {start(access.terminal.api)} --scope read --yes")["id"]
    both(f"app deny {start(access.terminal.api)}")
    assert access.ran == {name for name in ACCESS if name.split()[0] in {"app", "group"}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("token revoke nobody", "there is no token named 'nobody'"),
        ("app revoke nobody", "there is no application with the ID 'nobody'"),
        ("app rotate nobody", "there is no application with the ID 'nobody'"),
        ("group remove nothing", "there is no configuration group 'nothing'"),
        ("group secret remove nothing", "there is no secret 'nothing'"),
        ("declarer add nothing --token-id hkl_00000000", "setting 'nothing' does not exist"),
    ],
)
def test_a_dry_run_refuses_what_does_not_exist(access: Access, line: str, message: str) -> None:
    """The error is that of the command itself."""
    assert message in access.terminal.refused(*shlex.split(line), "--dry-run", *access.place)


@pytest.mark.parametrize("access", ["service"], indirect=True)
def test_a_profile_names_the_service(access: Access) -> None:
    """Commands about access take --profile, as all others do."""
    terminal = access.terminal
    terminal.run("profile", "add", "here", terminal.api.url, "--token", access.place[-1])
    assert [each["name"] for each in terminal.json("token", "list", "--profile", "here")] == ["admin"]
    refused = terminal.refused("token", "list", "--profile", "here", "--database", "sqlite:///a.db", status=2)
    assert "Give either --database or --profile." in refused


def test_discussions(terminal: Terminal) -> None:
    """Comments, rejections and withdrawals print the proposal as it is then."""
    place: list[str] = []
    access = Access(terminal, place)
    numbers = []
    for default in (5, 6):
        operations = [{"op": "set_default", "setting": "cache_ttl", "value": default}]
        made = terminal.api.call("POST", "proposals", {"operations": operations}).json()
        numbers.append(made["proposal_id"])
    first, second = numbers
    assert access.run(f"proposals comment {first} why")["comments"][0]["text"] == "why"
    assert access.run(f"proposals reject {first} --dry-run")["state"] == "open"
    assert access.run(f"proposals reject {first} --comment no")["state"] == "rejected"
    assert access.run(f"proposals withdraw {second} --dry-run")["state"] == "open"
    assert access.run(f"proposals withdraw {second}")["state"] == "withdrawn"
    assert f"proposal {first} is rejected already" in terminal.refused("proposals", "reject", str(first), "--dry-run")
    assert access.ran == DISCUSSING


def test_faults_for_programs(terminal: Terminal, tmp_path: Path) -> None:
    """All faults of files are listed with their places, and the exit status is 1."""
    file = tmp_path / "a.yaml"
    file.write_text("owner: a\nsettings:\n  x: {defualt: 1}\n  y: {rules: 2}\n", "utf-8")
    result = terminal.try_("validate", str(file), "-o", "json")
    shown = json.loads(result.stdout)
    assert result.exit_code == 1
    assert jsonschema_rs.validator_for(output_schema("validate")).is_valid(shown)
    assert shown["settings"] is None
    assert [(each["line"], each["column"]) for each in shown["faults"]] == [(3, 16), (4, 14)]
    assert "did you mean default?" in shown["faults"][0]["message"]
    assert "2 faults in the files." in result.stderr


def test_a_revert_that_is_impossible(terminal: Terminal) -> None:
    """A dry run lists the conflicts, and so does the command before it asks. Otherwise, nothing happens."""
    terminal.run("set", "cache_ttl", "10", "--where", "user=john", "--yes")
    revision = str(terminal.api.revision())
    assert "this was a dry run" in terminal.run("revert", revision, "--dry-run")
    assert str(terminal.api.revision()) == revision
    terminal.run("set", "cache_ttl", "11", "--where", "user=john", "--yes")
    newest = terminal.api.revision()
    for options in (["--dry-run"], ["--yes"], []):
        assert "was changed since" in terminal.refused("revert", revision, *options)
    assert terminal.api.revision() == newest
