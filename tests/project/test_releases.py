"""A release is published only if its tag, its version and the changelog agree."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

import heksherlite

ROOT = Path(__file__).parents[2]
VERSION_FILE = '__version__ = "1.2.0"\n'
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-01-31

### Added

- Something.

## [1.1.0] - 2026-01-01

[1.2.0]: https://example.org/1.2.0
"""


@pytest.fixture(scope="module")
def check_release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_release", ROOT / ".ci" / "check_release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_release_that_agrees_has_no_problems(check_release: ModuleType) -> None:
    """The tag is the version with a v before it, and the changelog has its section, entries and link."""
    assert check_release.problems("v1.2.0", VERSION_FILE, CHANGELOG) == []


@pytest.mark.parametrize(
    ("tag", "changelog", "problem"),
    [
        ("v1.2.1", CHANGELOG, "the tag is v1.2.1, but the version in heksherlite/_version.py is 1.2.0"),
        ("1.2.0", CHANGELOG, "the tag must be v1.2.0"),
        ("v1.2.0", CHANGELOG.replace(" - 2026-01-31", ""), "no section `## [1.2.0] - YYYY-MM-DD`"),
        ("v1.2.0", CHANGELOG.replace("- Something.", ""), "the section [1.2.0] of CHANGELOG.md has no entries"),
        ("v1.2.0", CHANGELOG.replace("[1.2.0]: https", "[1.2.0] https"), "no link `[1.2.0]: https://...`"),
    ],
)
def test_what_disagrees_is_named(check_release: ModuleType, tag: str, changelog: str, problem: str) -> None:
    """A wrong tag, and a changelog without the version's section, entries or link, are each reported."""
    (message,) = check_release.problems(tag, VERSION_FILE, changelog)
    assert problem in message


def test_this_version_could_be_released(check_release: ModuleType) -> None:
    """The changelog of this checkout describes the version that this checkout has."""
    version_file = ROOT.joinpath("heksherlite", "_version.py").read_text("utf-8")
    changelog = ROOT.joinpath("CHANGELOG.md").read_text("utf-8")
    assert check_release.problems(f"v{heksherlite.__version__}", version_file, changelog) == []
    assert "\n## [Unreleased]\n" in changelog


def test_constraints_fit_the_requirements() -> None:
    """Each requirement of the project, with all extras, has a version in the constraints of CI that satisfies it."""
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    required = [Requirement(line) for line in [*project["dependencies"], *extras] if not line.startswith("heksherlite")]
    lines = ROOT.joinpath(".ci", "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    for requirement in required:
        versions = [str(pin.specifier)[2:] for pin in pins if _name(pin) == _name(requirement)]
        assert versions, f"no version of {requirement.name} in .ci/constraints.txt: run `nox -s lock`"
        assert all(version in requirement.specifier for version in versions), requirement


def _name(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def test_the_oldest_python_stands_everywhere_the_same() -> None:
    """The workflow sets up the Pythons that the package declares, and mypy and ruff check for the oldest."""
    configuration = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))
    oldest = configuration["project"]["requires-python"].removeprefix(">=")
    classifiers = configuration["project"]["classifiers"]
    declared = sorted(line.rpartition(" ")[2] for line in classifiers if ":: 3." in line)
    assert declared[0] == oldest == configuration["tool"]["mypy"]["python_version"]
    assert configuration["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for workflow in ("ci.yml", "release.yml"):
        text = ROOT.joinpath(".github", "workflows", workflow).read_text("utf-8")
        assert sorted(line.strip() for line in text.splitlines() if line.strip() in declared) == declared
    assert f"PYTHONS = [{', '.join(f'{version!r}' for version in declared)}]".replace("'", '"') in (
        ROOT.joinpath("noxfile.py").read_text("utf-8")
    )
    assert sys.version_info >= tuple(map(int, oldest.split(".")))


def test_links_on_pypi_are_absolute() -> None:
    """The README as it is published has no relative link, and every file that it links to is in the project."""
    configuration = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))
    published = ROOT.joinpath("README.md").read_text("utf-8")
    for substitution in configuration["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        published = re.sub(substitution["pattern"], substitution["replacement"], published)
    links = re.findall(r"\]\(([^)]+)\)", published)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    files = [match[1] for link in links if (match := re.search(r"/heksherlite/(?:blob/)?main/([^#]+)", link))]
    assert files
    assert [file for file in files if not ROOT.joinpath(file).exists()] == []
