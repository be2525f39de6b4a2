"""The code blocks that no test runs as they are: each has a reason, and its commands and options exist."""

import re
import shlex
import subprocess
import tomllib

import pytest

from benchmarks.__main__ import arguments
from heksherlite.cli.commands import heksherlite
from tests.documentation.pages import PAGES, ROOT, Block, blocks_of, name_of

NOT_RUN = {
    "CONTRIBUTING.md": "It clones the project and installs it, which CI does with the command of the README.",
    "benchmarks/README.md": "It takes half an hour. tests/test_benchmarks.py runs every measurement with little data.",
    "examples/nginx/README.md": "It needs nginx. tests/service/test_nginx.py runs nginx with this configuration.",
}
"""The reasons by page."""


def blocks() -> dict[str, list[Block]]:
    """Return the blocks of all pages that are not on the documentation site, by page."""
    others = sorted({*ROOT.glob("*.md"), *ROOT.glob("[be]*/**/README.md")} - set(PAGES))
    return {name_of(page): found for page in others if (found := blocks_of(page))}


def commands(page: str) -> list[list[str]]:
    """Return the words of each command in the blocks of a page."""
    lines = "".join(block.text for block in blocks()[page]).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_every_other_block_has_a_reason() -> None:
    """A new block is either on the documentation site, where a test runs it, or has a reason here."""
    assert blocks().keys() == NOT_RUN.keys()


@pytest.mark.parametrize("page", NOT_RUN)
def test_blocks_are_valid_shell(page: str) -> None:
    """The shell can parse each block."""
    for block in blocks()[page]:
        assert block.language == "sh"
        subprocess.run(["/bin/bash", "-n"], input=block.text, text=True, check=True, timeout=60)


def test_contributors_install_what_ci_installs() -> None:
    """The set-up installs the same as the README's command, with the constraints of CI."""
    (install,) = [words for words in commands("CONTRIBUTING.md") if "pip" in words]
    constraints = install.index("--constraint")
    assert ROOT.joinpath(install[constraints + 1]).is_file()
    del install[constraints : constraints + 2]
    readme = "".join(block.text for block in blocks_of(ROOT / "README.md") if block.heading == "Run the tests")
    assert shlex.join(install) in {shlex.join(shlex.split(command)) for command in readme.split("&&")}
    extras = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    tools = {re.split(r"\W*[\[>=]", requirement)[0] for requirement in extras["dev"]}
    assert {words[0] for words in commands("CONTRIBUTING.md")} - {"git", "cd", "python", "."} <= tools


def test_the_benchmarks_accept_the_documented_options() -> None:
    """The program of the benchmarks accepts each command line of its README."""
    found = commands("benchmarks/README.md")
    assert found
    for program, script, *options in found:
        assert program == "python"
        assert ROOT.joinpath(script).is_file()
        arguments(options)


def test_the_example_of_nginx_uses_options_that_exist() -> None:
    """The service accepts the options of the example."""
    (options,) = [words[2:] for words in commands("examples/nginx/README.md") if words[0] == "heksherlite"]
    with heksherlite.make_context("heksherlite", ["serve", *options]) as context:
        serve = heksherlite.get_command(context, "serve")
        assert serve is not None
        serve.make_context("serve", list(options), parent=context)
