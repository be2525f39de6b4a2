"""Virtual environments with the original packages."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


class NotInstallableError(Exception):
    """An original package cannot be installed on this version of Python."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with an original package, kept between runs, and ignored by git.

    Attributes:
        folder: Where it is.
        requirements: What is installed.
        check: A program that fails if something else is.
    """

    folder: Path
    requirements: tuple[str, ...]
    check: str

    def python(self) -> Path:
        """Return its interpreter, and create the environment if necessary.

        Raises:
            NotInstallableError: It cannot be made; the message says why.
        """
        python = self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        if self._is_right(python):
            return python
        commands = (
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            [str(python), "-m", "pip", "install", "--quiet", *self.requirements],
        )
        own_versions = {**os.environ, "PIP_CONSTRAINT": os.devnull}  # not the constraints of this project
        for command in commands:
            finished = subprocess.run(command, env=own_versions, capture_output=True, text=True, check=False)
            if finished.returncode:
                raise NotInstallableError(f"{' '.join(command)}\n{finished.stdout}{finished.stderr}")
        if not self._is_right(python):
            raise NotInstallableError(f"{self.requirements[0]} is installed in {self.folder}, but cannot be imported")
        return python

    def _is_right(self, python: Path) -> bool:
        if not python.exists():
            return False
        return subprocess.run([python, "-c", self.check], capture_output=True, check=False).returncode == 0


SDK: Final = Environment(
    _ROOT / f".venv-interop-{_PYTHON}",
    ("heksher==0.2.2", "pydantic<2"),
    """
from importlib.metadata import version
assert version("heksher") == "0.2.2" and version("pydantic").startswith("1.")
import heksher
""",
)
"""The original SDK."""

LOADER: Final = Environment(
    _ROOT / f".venv-interop-loader-{_PYTHON}",
    ("fakts==0.3.17", "pydantic<2", "koil==0.2.12", "aiohttp", "certifi"),
    """
from importlib.metadata import version
assert version("fakts") == "0.3.17" and version("koil") == "0.2.12" and version("pydantic").startswith("1.")
import aiohttp, certifi, fakts
""",
)
"""The original loader of grants."""
