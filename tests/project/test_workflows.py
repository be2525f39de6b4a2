"""The workflows of the code host, the hooks and the sessions call what exists."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.joinpath(".github", "workflows").glob("*.yml"))


def jobs(workflow: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(workflow.read_text("utf-8"))["jobs"])


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(workflow).values():
        yield from job["steps"]


def nox_sessions() -> set[str]:
    tree = ast.parse(ROOT.joinpath("noxfile.py").read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}


def test_there_are_the_workflows_that_the_documentation_names() -> None:
    """One checks every change, one publishes."""
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "release.yml"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """An action is named by its commit, with its version beside it, so that a moved tag changes nothing."""
    uses = [line.strip() for line in workflow.read_text("utf-8").splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert re.fullmatch(r"- uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_files_and_sessions_that_exist(workflow: Path) -> None:
    """Every script and every nox session that a workflow runs is in the project."""
    commands = [shlex.split(line) for step in steps(workflow) for line in step.get("run", "").splitlines()]
    assert commands
    for command in commands:
        for word in command:
            assert not word.startswith(".ci/") or ROOT.joinpath(word).is_file(), command
        if command[0] == "nox":
            assert command[command.index("-s") + 1] in nox_sessions(), command


def test_ci_runs_what_a_contributor_runs() -> None:
    """The hosted workflow has no checks of its own: it calls `.ci/run`."""
    runs = [step["run"] for step in steps(ROOT.joinpath(".github", "workflows", "ci.yml")) if "run" in step]
    assert "bash .ci/run" in runs


def test_ci_run_calls_sessions_that_exist() -> None:
    """Each session that `.ci/run` calls is in noxfile.py, and the linters and type checkers are among them."""
    called = set(re.findall(r"^session(?:_apart)? (\w+)", ROOT.joinpath(".ci", "run").read_text("utf-8"), re.MULTILINE))
    assert called >= {"lint", "typecheck", "foreign", "build"}
    assert called <= nox_sessions()


def test_only_the_publishing_job_may_publish() -> None:
    """The job with the right to publish builds nothing, waits for the one that checks, and has an environment."""
    release = ROOT.joinpath(".github", "workflows", "release.yml")
    assert yaml.safe_load(release.read_text("utf-8"))["permissions"] == {}
    publishing = {name: job for name, job in jobs(release).items() if "id-token" in job["permissions"]}
    (job,) = publishing.values()
    assert job["permissions"] == {"id-token": "write"}
    assert job["needs"] == "build"
    assert job["environment"]["name"] == "pypi"
    assert not any("run" in step for step in job["steps"])
    assert "bash .ci/run" in [step.get("run") for step in jobs(release)["build"]["steps"]]


def test_hooks_call_tools_of_the_dev_extra() -> None:
    """Each pre-commit hook runs a tool that `.[dev]` installs: versions stand in one place."""
    configuration = yaml.safe_load(ROOT.joinpath(".pre-commit-config.yaml").read_text("utf-8"))
    tools = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter", "check-jsonschema": "check-jsonschema"}
    extras = ROOT.joinpath("pyproject.toml").read_text("utf-8")
    for repository in configuration["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert f'"{tools[hook["entry"].split()[0]]}>=' in extras, hook


def test_templates_for_issues_are_forms() -> None:
    """Each form has a name, a description and fields."""
    forms = sorted(ROOT.joinpath(".github", "ISSUE_TEMPLATE").glob("*_*.yml"))
    assert forms
    for form in forms:
        content = yaml.safe_load(form.read_text("utf-8"))
        assert content["name"]
        assert content["description"]
        assert [field for field in content["body"] if field["type"] != "markdown"]
