"""Every code block of the README and of the documentation runs."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

from tests.documentation.pages import PAGES, ROOT, Block, blocks_of, name_of
from tests.documentation.terminal import Terminal
from tests.service import postgresql

BY_CI = {"See it work", "Run the tests"}
"""Headings of the README whose commands ``.ci/run`` runs in fresh environments."""

DATABASE = "postgresql://heksherlite@db.example/settings"


@pytest.fixture
def terminal(tmp_path: Path, page: Path) -> Iterator[Terminal]:
    """Return a terminal for a page, which has a PostgreSQL server if the page mentions one."""
    with ExitStack() as stack:
        replacements = {}
        if DATABASE in page.read_text("utf-8"):
            replacements[DATABASE] = stack.enter_context(postgresql.running()).new_database()
        yield stack.enter_context(closing(Terminal(tmp_path, replacements)))


@pytest.mark.thorough
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=name_of)
def test_blocks_run(page: Path, terminal: Terminal) -> None:
    """The blocks of a page run in order in one terminal, with the outputs that the page shows."""
    blocks = [block for block in blocks_of(page) if not (page.name == "README.md" and block.heading in BY_CI)]
    printed = ""
    for block in _programs(blocks):
        if block.language == "output":
            assert re.fullmatch(_pattern(block.text), printed.strip(), re.DOTALL), f"{block.place}:\n{printed}"
        else:
            if not block.text.startswith(("heksherlite serve", "pip install")):
                terminal.serve()
            printed = _follow(block, terminal)


def _programs(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks. Python without an import continues the previous program, and is joined with it."""
    joined: list[Block] = []
    for block in map(_changed, blocks):
        before = next(
            (index for index in reversed(range(len(joined))) if joined[index].language in {"python", "sh"}), None
        )
        continues = block.language == "python" and not re.search(r"^(import|from) ", block.text, re.MULTILINE)
        if continues and before is not None and joined[before].language == "python":
            joined[before] = replace(joined[before], text=joined[before].text + block.text)
        else:
            joined.append(block)
    yield from joined


def _changed(block: Block) -> Block:
    """Return the program that a diff leads to, in place of the diff. The program before is valid too."""
    if block.language != "diff":
        return block
    lines = [line if line.strip() else f" {line}" for line in block.text.splitlines(keepends=True)]
    before, after = ("".join(line[1:] for line in lines if line[0] != mark) for mark in "+-")
    compile(before, block.place, "exec")
    return replace(block, language="python", text=after)


def _follow(block: Block, terminal: Terminal) -> str:
    """Run a block or check its contents, and return its output."""
    match block.language:
        case "sh":
            return terminal.shell(block)
        case "python":
            return terminal.python(block)
        case "json":
            _require_json(block)
        case "yaml" | "toml":
            _write_file(terminal, block)
        case "promql":
            _require_metrics(block, terminal)
        case "http":
            _require_route(block, terminal)
        case "text":
            pass
        case language:
            pytest.fail(f"{block.place}: nothing is known about the language {language!r}")
    return ""


def test_ci_runs_the_other_blocks() -> None:
    """The commands of the README that are not run here are those that CI runs in fresh environments."""
    ci = ROOT.joinpath(".ci", "run").read_text("utf-8")
    headings = {block.heading for block in blocks_of(ROOT / "README.md")}
    for heading in BY_CI:
        assert heading in headings
        assert f'readme_command.py "{heading}"' in ci


def _pattern(output: str) -> str:
    """Return a pattern for an output in which ``...`` stands for anything."""
    return ".*?".join(map(re.escape, output.strip().split("...")))


def _require_json(block: Block) -> None:
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


def _write_file(terminal: Terminal, block: Block) -> None:
    """Write a block that begins with a file name to that file, for the following blocks."""
    if block.language == "yaml":
        yaml.safe_load(block.text)
    else:
        tomllib.loads(block.text)
    if name := re.match(r"# (\S+\.(?:yaml|toml))\n", block.text):
        terminal.write(name[1], block.text)


def _require_metrics(block: Block, terminal: Terminal) -> None:
    exposition = httpx.get(f"{terminal.url()}/metrics").raise_for_status().text
    for name in re.findall(r"\bheksherlite_\w+", block.text):
        family = re.sub(r"_(bucket|sum|count|total)$", "", name)
        assert re.search(rf"^# TYPE {family}(_total)? ", exposition, re.MULTILINE), f"{block.place}: {name}"


def _require_route(block: Block, terminal: Terminal) -> None:
    paths = httpx.get(f"{terminal.url()}/openapi.json").raise_for_status().json()["paths"]
    for method, path in re.findall(r"^(GET|POST|PUT|PATCH|DELETE) ([^ ?\n]+)", block.text, re.MULTILINE):
        templates = [template for template in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)]
        assert any(method.lower() in paths[template] for template in templates), f"{block.place}: {method} {path}"
