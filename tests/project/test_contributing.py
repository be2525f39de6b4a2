"""The documentation for contributors names what exists."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "docs/architecture.md")
FOREIGN = {"TypeError", "CliRunner", "click", "anyio"}
"""Classes and modules that pages name and that other projects define."""


def text_of(page: str) -> str:
    return ROOT.joinpath(page).read_text("utf-8")


def code_in(page: str) -> list[str]:
    """Return the inline code of a page, without its blocks."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


@cache
def defined() -> set[str]:
    """Return the names that the package or the tests define."""
    found: set[str] = set()
    for folder in ("heksherlite", "tests"):
        for path in ROOT.joinpath(folder).rglob("*.py"):
            found.update(re.findall(r"\b(?:class|def) (\w+)", text := path.read_text("utf-8")))
            found.update(re.findall(r"\b([A-Za-z_]\w*) *[:=]", text))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    """Every path in inline code, and every relative link, is a file or a folder of the project."""
    text = text_of(page)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    folder = ROOT.joinpath(page).parent
    assert [link for link in links if not folder.joinpath(link).exists()] == []
    tops = r"(?:heksherlite|tests|docs|benchmarks|examples|\.ci|\.github)/"
    paths = [code for code in code_in(page) if re.fullmatch(tops + r"[\w./-]*", code)]
    assert [path for path in paths if not ROOT.joinpath(path).exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_named_classes_and_functions_exist(page: str) -> None:
    """Every class, constant, method and function in inline code is defined in the package or the tests."""
    missing = []
    for code in code_in(page):
        match = re.fullmatch(r"@?([A-Za-z_]\w*)(?:\.(\w+))?(?:\(.*\))?", code)
        is_name = match is not None and (not code.islower() or "_" in code) and not ROOT.joinpath(code).exists()
        if match is None or not is_name or match[1] in FOREIGN:
            continue
        names = [name for name in match.groups() if name]
        missing += [code for name in names if name not in defined()]
    assert missing == []


def test_names_are_in_the_files_where_the_page_places_them() -> None:
    """Where CONTRIBUTING.md says that a name is in a file, the file has it."""
    pairs = re.findall(r"`@?(\w+)`\s+(?:in|of|from)\s+`([\w/]+\.py)`", text_of("CONTRIBUTING.md"))
    assert pairs
    assert [(name, path) for name, path in pairs if name not in ROOT.joinpath(path).read_text("utf-8")] == []


def test_every_folder_of_the_package_is_described() -> None:
    """CONTRIBUTING.md has a row, and the drawing a box, for each folder of the package that holds code."""
    folders = [path.parent.name for path in ROOT.joinpath("heksherlite").glob("*/__init__.py")]
    assert folders
    table, drawing = text_of("CONTRIBUTING.md"), text_of("docs/architecture.md")
    assert [name for name in folders if f"`heksherlite/{name}/" not in table] == []
    assert [name for name in folders if f" {name}/ " not in drawing] == []


def test_the_drawing_has_the_folders_of_the_service() -> None:
    """The drawing has the layers of the service."""
    drawing = text_of("docs/architecture.md")
    folders = [path.parent.name for path in ROOT.joinpath("heksherlite", "service").glob("*/__init__.py")]
    assert folders
    assert [name for name in folders if f" {name}/" not in drawing] == []


def test_named_sessions_exist() -> None:
    """Each nox session that a page tells to run is in noxfile.py."""
    noxfile = ROOT.joinpath("noxfile.py").read_text("utf-8")
    for page in PAGES:
        for session in re.findall(r"nox -s (\w+)", text_of(page)):
            assert f"\ndef {session}(" in noxfile, (page, session)
