"""Interpreters to measure with, and environments for the peers, made when they are first needed."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_ENVIRONMENTS: Final = Path(__file__).parent / ".venvs"

PEERS: Final[Mapping[str, Sequence[str]]] = {
    "heksher": ("heksher==0.2.2", "pydantic<2"),
    "statsig": ("statsig-python-core",),
    "growthbook": ("growthbook",),
    "openfeature": ("openfeature-sdk",),
    "launchdarkly": ("launchdarkly-server-sdk",),
}
"""What to install for each program in ``benchmarks/peers``."""

_HAS_PROJECT = (
    "import pathlib, sys, click, openfeature.api, sqlalchemy, uvicorn, heksherlite; "
    "sys.exit(pathlib.Path(heksherlite.__file__).parents[1] != pathlib.Path(sys.argv[1]))"
)


class InstallationError(Exception):
    """Something cannot be installed here."""


def interpreters() -> list[Path]:
    """Return one CPython of each supported version on this machine, oldest first."""
    finder = ROOT / ".ci" / "find_pythons.py"
    found = subprocess.run([sys.executable, finder], capture_output=True, text=True, check=True)
    return [Path(line) for line in found.stdout.splitlines()]


def version_of(python: Path) -> str:
    """Return the version of an interpreter, such as ``3.11.7``."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def with_project(python: Path) -> Path:
    """Return an interpreter that has this checkout installed: the given one, or that of an environment made of it.

    Raises:
        InstallationError: It cannot be installed.
    """
    # Isolated, so that it has to be installed: in the current folder it would be found without.
    if subprocess.run([python, "-I", "-c", _HAS_PROJECT, ROOT], capture_output=True, check=False).returncode == 0:
        return python
    return _environment(python, "heksherlite", ["--editable", f"{ROOT}[django,flask,models,openfeature,service]"])


def with_peer(python: Path, peer: str) -> Path:
    """Return the interpreter of an environment that has a peer installed.

    Raises:
        InstallationError: It cannot be installed.
    """
    return _environment(python, peer, PEERS[peer])


def _environment(python: Path, name: str, requirements: Sequence[str]) -> Path:
    folder = _ENVIRONMENTS / f"{name}-{version_of(python)}"
    ready = folder / "ready"
    inside = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if ready.exists():
        return inside
    print(f"installing {', '.join(requirements)} for {python}", file=sys.stderr)
    commands: Sequence[Sequence[str | Path]] = (
        [python, "-m", "venv", "--clear", folder],
        [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    )
    for command in commands:
        own_versions = {**os.environ, "PIP_CONSTRAINT": os.devnull}  # not the constraints of this project
        process = subprocess.run(command, env=own_versions, capture_output=True, text=True, check=False)
        if process.returncode != 0:
            last_line = (process.stderr.strip() or "no message").splitlines()[-1]
            raise InstallationError(f"cannot install {requirements[0]} for Python {version_of(python)}: {last_line}")
    ready.touch()
    return inside
