"""What commands import: their help, and a command without its extra."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from heksherlite._version import __version__
from heksherlite.cli.command_table import COMMANDS
from heksherlite.cli.commands import heksherlite

PRINT_OUTPUTS_AND_IMPORTS = """
import contextlib, io, json, sys
before = {name.partition(".")[0] for name in sys.modules}
from heksherlite.cli import main

for name in sys.argv[1].split(","):
    sys.modules[name] = None
for words in json.loads(sys.argv[2]):
    sys.argv[1:] = words
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(output),
        contextlib.suppress(SystemExit),
    ):
        main()
    imported = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
    print(json.dumps([output.getvalue(), sorted(imported - set(sys.stdlib_module_names) - before)]))
"""
PRINT_IMPORTS = """
import atexit, json, sys
before = {name.partition(".")[0] for name in sys.modules}
from heksherlite.cli import main

def report():
    imported = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
    print(json.dumps(sorted(imported - set(sys.stdlib_module_names) - set(before))), file=sys.stderr)

atexit.register(report)
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
main()
"""
EVERY_EXTRA = "alembic,fastapi,psutil,rich,segno,sqlalchemy,uvicorn"
"""What comes with an extra, but for Click: the help of every command works without it."""


def run(*arguments: str, missing: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where some libraries are not installed, and print what it imported to the standard error."""
    command = [sys.executable, "-c", PRINT_IMPORTS, missing, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def run_each(commands: list[list[str]], missing: str) -> list[tuple[str, set[str]]]:
    """Run commands in one process, and return what each printed, and what was imported until its end."""
    program = [sys.executable, "-c", PRINT_OUTPUTS_AND_IMPORTS, missing, json.dumps(commands)]
    result = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    return [(text, set(imported)) for text, imported in map(json.loads, result.stdout.splitlines())]


def every_command() -> list[list[str]]:
    """Return the words of every command, groups and the program itself included."""
    found: list[list[str]] = []

    def walk(command: click.Command, words: list[str]) -> None:
        found.append(words)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                walk(child, [*words, name])

    walk(heksherlite, [])
    return found


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[str, set[str]]]:
    """Return the help of every command, and what a process has imported that printed this one and those before it."""
    commands = every_command()
    printed = run_each([[*words, "--help"] for words in commands], missing=EVERY_EXTRA)
    return {" ".join(words): shown for words, shown in zip(commands, printed, strict=True)}


@pytest.mark.parametrize("command", [" ".join(words) for words in every_command()])
def test_help_imports_click_and_little_else(command: str, helps: dict[str, tuple[str, set[str]]]) -> None:
    """The help of a command needs no extra, and imports neither the service's libraries nor an HTTP client."""
    text, imported = helps[command]
    assert text.startswith(f"Usage: heksherlite {command}".rstrip())
    assert imported <= {"cachetools", "click", "heksherlite", "orjson"}


def test_the_program_alone_prints_the_help(tmp_path: Path) -> None:
    """Without arguments there is the help, with status 0."""
    result = run(missing=EVERY_EXTRA, folder=tmp_path)
    assert result.returncode == 0
    assert result.stdout == run("--help", missing=EVERY_EXTRA, folder=tmp_path).stdout


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_list_of_commands_needs_no_extra(arguments: list[str], tmp_path: Path) -> None:
    """After `pip install heksherlite` alone, the help lists the commands and says how to install what they need."""
    result = run(*arguments, missing="click", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    for name, entry in COMMANDS.items():
        assert name in result.stdout
        assert entry.summary in result.stdout
    assert "pip install 'heksherlite[service]'" in result.stdout


def test_the_version_needs_no_extra(tmp_path: Path) -> None:
    """It is in the package."""
    result = run("--version", missing="click", folder=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"heksherlite, version {__version__}\n")


def test_commands_about_a_service_need_one_extra(tmp_path: Path) -> None:
    """With ``heksherlite[cli]`` alone, everything works that is done over HTTP."""
    lines = ("token list", "app list", "group list", "declarer list x", "settings list", "get x", "export --output")
    commands = [[*line.split(), *([str(tmp_path / "x")] * line.endswith("--output"))] for line in lines]
    ran = run_each(
        [[*words, "--url", "http://127.0.0.1:9"] for words in commands], missing=f"{EVERY_EXTRA},pydantic,starlette"
    )
    for line, (printed, _) in zip(lines, ran, strict=True):
        assert "cannot connect to http://127.0.0.1:9" in printed, line
    *_, (_, imported) = ran
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    service, cli = [
        {
            re.split("[^A-Za-z0-9_-]", each)[0].lower().replace("-", "_")
            for each in [*extras[extra], *project["dependencies"]]
        }
        for extra in ("service", "cli")
    ]
    assert imported & (service - cli) <= {"h11", "typing_extensions"}  # httpx and anyio require them, too


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["serve", "--port", "0"], "uvicorn", "service"),
        (["serve"], "click", "service"),
        (["login", "http://host", "--identifier", "a"], "segno", "login"),
        (["login", "http://host", "--identifier", "a"], "click", "login"),
        (["beacon", "http://host"], "psutil", "login"),
        (["token", "list"], "sqlalchemy", "service"),
    ],
)
def test_a_command_without_its_extra(arguments: list[str], missing: str, extra: str, tmp_path: Path) -> None:
    """A command whose library is missing names the library and the extra, in one line."""
    result = run(*arguments, missing=missing, folder=tmp_path)
    assert result.returncode == 1
    line = f"Error: this command needs {missing}, which is not installed: pip install 'heksherlite[{extra}]'"
    assert result.stderr.splitlines()[:-1] == [line]
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["whoami", "logout"])
def test_client_commands_import_no_service(command: str, tmp_path: Path) -> None:
    """Commands about stored facts run without the service, an HTTP client and the libraries of the login."""
    result = run(command, missing=EVERY_EXTRA, folder=tmp_path)
    imported = set(json.loads(result.stderr.splitlines()[-1]))
    assert imported.isdisjoint({"fastapi", "httpx", "rich", "sqlalchemy", "uvicorn"})


def test_summaries_are_those_of_the_commands() -> None:
    """The list of commands says the first sentence of each command's help."""
    for name, entry in COMMANDS.items():
        command = heksherlite.get_command(click.Context(heksherlite), name)
        assert command is not None
        assert entry.summary == f"{(command.help or '').partition('.')[0]}.", name
        assert import_module(f"heksherlite.cli.{entry.module}")


def test_a_user_without_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that would use the user's data folder says what to do if there can be none."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(heksherlite, ["token", "create", "a", "--scope", "read"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: there is no data folder for this user (")
    assert "set XDG_DATA_HOME, or name each file by its option" in result.output
