"""Everything public is documented, and everything that the pages mention exists."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

import click
import httpx
import pytest

from heksherlite import Setting, errors
from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.documentation.pages import DOCS, PAGES, ROOT, blocks_of, name_of
from tests.documentation.sources import PACKAGE, nodes

REFERENCE = "".join(path.read_text("utf-8") for path in DOCS.joinpath("reference", "python").glob("*.md"))
ENVIRONMENT = DOCS.joinpath("reference", "environment.md").read_text("utf-8")

OF_OTHER_PROGRAMS = {"--heksher-report", "--fail", "--json", "--preload", "--help", "--version"} | {
    *("--fail-with-body", "--silent", "--request", "--get", "--data-urlencode", "--output", "--write-out"),
    *("--raw-output", "--compact-output"),
    *("--py-call-osafterfork", "--enable-threads", "--lazy-apps"),
}
"""Options that pages mention and that are not ours."""


def public_modules() -> list[str]:
    """Return the modules that have a list of what they export, and the integrations."""
    files = [(path, path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    exporting = (path for path, text in files if re.search(r"^__all__ = ", text, re.MULTILINE))
    integrations = (path for path in PACKAGE.joinpath("integrations").glob("*.py") if path.stem != "__init__")
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in chain(exporting, integrations)
    )


def public_names(module: str) -> list[str]:
    loaded = import_module(module)
    if hasattr(loaded, "__all__"):
        return list(loaded.__all__)
    return [
        name
        for name, value in vars(loaded).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module and callable(value)
    ]


@pytest.mark.parametrize("module", public_modules())
def test_public_names_are_documented(module: str) -> None:
    """Each exported name is in the Python reference."""
    assert ".. automodule:: heksherlite.errors\n   :members:" in REFERENCE
    for name in public_names(module):
        if name not in vars(errors):
            assert re.search(rf"^\.\. auto\w+:: {module}\.{name}\b", REFERENCE, re.MULTILINE), f"{module}.{name}"


def test_the_signature_of_setting_is_documented() -> None:
    """The reference, which shows one signature instead of all overloads, has the parameters that there are."""
    (signature,) = re.findall(r"autoclass:: heksherlite\.Setting\((.*)\)", REFERENCE)
    names = [re.match(r"\w+", parameter.strip())[0] for parameter in signature.split(",")]  # type: ignore[index]
    parameters = inspect.signature(Setting).parameters
    assert names == [name for name in parameters if name != "configurable_feature"]


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and its subcommands, with what is typed to run them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


COMMANDS = dict(commands(heksherlite, "heksherlite"))


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_are_documented(path: str) -> None:
    """Each command and each option has a help text, and the page includes all of them."""
    page = DOCS.joinpath("reference", "command-line.md").read_text("utf-8")
    assert ".. click:: heksherlite.cli.commands:heksherlite\n   :prog: heksherlite\n   :nested: full" in page
    command = COMMANDS[path]
    assert not command.hidden
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_mentioned_commands_exist(page: Path) -> None:
    """The commands and options on a page exist."""
    text = page.read_text("utf-8")
    parameters = [parameter for command in COMMANDS.values() for parameter in command.params]
    options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
        assert option in options | OF_OTHER_PROGRAMS, f"{name_of(page)} mentions {option}"
    typed = "\n".join(block.text for block in blocks_of(page) if block.language == "sh")
    lines = re.findall(r"^heksherlite ([a-z].*)", typed, re.MULTILINE) + re.findall(r"`heksherlite ([a-z].*?)`", text)
    for line in lines:
        words = re.match(r"(?:[a-z][a-z-]* ?)*", line)
        assert words is not None
        path = "heksherlite"
        for word in words[0].split():
            if not isinstance(COMMANDS[path], click.Group):
                break
            path += f" {word}"
            assert path in COMMANDS, f"{name_of(page)} mentions {path!r}"
        known = {option for parameter in COMMANDS[path].params for option in parameter.opts} | {"--help", "--version"}
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line):
            assert option in known, f"{name_of(page)} mentions {option} of {path!r}"


def test_environment_variables_are_documented() -> None:
    """The page lists every environment variable that the command line or the code reads."""
    of_options = {
        parameter.envvar
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter, click.Option) and isinstance(parameter.envvar, str)
    }
    read = of_options | set(_variables_in_code())
    assert "HEKSHER_DB_CONNECTION_STRING" in read
    assert "OTEL_SERVICE_NAME" in read
    for variable in sorted(read):
        assert f"`{variable}`" in ENVIRONMENT, variable
    for variable in re.findall(r"`(HEKSHER_\w+)`", ENVIRONMENT):
        assert variable in read, f"nothing reads {variable}"


def _variables_in_code() -> Iterator[str]:
    """Yield the names by which the code asks for environment variables."""
    for _, found in nodes():
        for node in found:
            match node:
                case ast.Subscript(value=asked, slice=ast.Constant(value=str(name))):
                    pass
                case ast.Call(func=asked, args=[ast.Constant(value=str(name)), *_]):
                    pass
                case _:
                    continue
            if re.search(r"\benviron(\.\w+)?$|\bgetenv$", ast.unparse(asked)):
                yield name


def test_routes_are_documented() -> None:
    """The page of the HTTP API includes the routes of every tag."""
    page = DOCS.joinpath("reference", "http.md").read_text("utf-8")
    with embedded(context_features=["environment"]) as service:
        schema = httpx.get(f"{service.url}/openapi.json", timeout=60).raise_for_status().json()
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]
    assert all(operation.get("description") for operation in operations)
    tags = {tag for operation in operations for tag in operation["tags"]}
    assert tags == set(re.findall(r"^<!-- routes: (.+) -->$", page, re.MULTILINE))


@pytest.mark.parametrize("page", sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob("[be]*/**/README.md")}), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links point to existing files and headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        address, _, anchor = target.partition("#")
        if ":" in address:
            continue
        path = (page.parent / address).resolve() if address else page
        assert path.exists(), f"{name_of(page)} links to {target}"
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path), f"{name_of(page)} links to {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_scopes_are_documented() -> None:
    """The page about access control lists every scope."""
    page = DOCS.joinpath("operators", "security.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE)) == set(Scope)


def test_the_index_for_language_models_is_complete() -> None:
    """``llms.txt`` lists every page for users."""
    index = DOCS.joinpath("llms.txt").read_text("utf-8")
    assert index.startswith("# heksherlite\n\n> ")
    listed = dict(re.findall(r"^- \[.+\]\((.+)\.html\): (.+)$", index, re.MULTILINE))
    for page in listed:
        assert DOCS.joinpath(f"{page}.md").exists(), page
    pages = re.findall(r"^([a-z/-]+)$", DOCS.joinpath("index.md").read_text("utf-8"), re.MULTILINE)
    assert {page for page in pages if not page.startswith("contributors/")} <= listed.keys()
