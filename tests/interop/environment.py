"""A virtual environment with the original SDK."""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = ("heksher==0.2.2", "pydantic<2")
FOLDER = Path(__file__).parents[2] / f".venv-interop-{sys.version_info.major}.{sys.version_info.minor}"
"""Kept between runs, and ignored by git."""

_CHECK = """
from importlib.metadata import version
assert version("heksher") == "0.2.2" and version("pydantic").startswith("1.")
import heksher
"""


class NotInstallableError(Exception):
    """The original SDK does not install on this Python."""


def python_with_original() -> Path:
    """Return the interpreter of an environment that has the original SDK, which is made if need be.

    Raises:
        NotInstallableError: It cannot be made; the message says why.
    """
    python = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if _is_right(python):
        return python
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(FOLDER)],
        [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
    )
    for command in commands:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise NotInstallableError(f"{' '.join(command)}\n{finished.stdout}{finished.stderr}")
    if not _is_right(python):
        raise NotInstallableError(f"heksher is installed in {FOLDER}, but cannot be imported")
    return python


def _is_right(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", _CHECK], capture_output=True, check=False).returncode == 0
