"""Prints the CPython interpreters of this machine that the project supports, one of each version, oldest first.

Looks on the path and under pyenv.
"""

import os
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
DESCRIBE = "import ensurepip, sys; print(sys.implementation.name, *sys.version_info[:2])"


def candidates() -> list[Path]:
    """Return everything that may be an interpreter."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*(pyenv / "versions").glob("*/bin"), *map(Path, os.get_exec_path())]
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], 30))]
    return [folder / name for folder in folders for name in names if (folder / name).is_file()]


def supported_version(python: Path) -> tuple[int, int] | None:
    """Return the version of an interpreter, or None if it is not one that the project supports."""
    process = subprocess.run([python, "-c", DESCRIBE], capture_output=True, text=True, check=False)
    if process.returncode != 0:
        return None  # a shim without a version behind it, or an interpreter that cannot make environments
    implementation, major, minor = process.stdout.split()
    version = int(major), int(minor)
    return version if implementation == "cpython" and version >= OLDEST else None


def main() -> None:
    """Print the interpreters."""
    found: dict[tuple[int, int], Path] = {}
    for python in candidates():
        version = supported_version(python)
        if version is not None:
            found.setdefault(version, python)
    if not found:
        sys.exit(f"no CPython from {'.'.join(map(str, OLDEST))} up found")
    for version in sorted(found):
        print(found[version])


if __name__ == "__main__":
    main()
