"""Checks, in an environment that has the wheel and nothing else, that the core needs its four dependencies only."""

import importlib
import re
import subprocess
import sys
from importlib.metadata import distributions, requires
from pathlib import Path

CORE = {"anyio", "cachetools", "httpx", "orjson"}
OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel"}
OF_AN_EXTRA = (
    "heksherlite.service",
    "heksherlite.cli.",
    "heksherlite.integrations.",
    "heksherlite.grants.safe_yaml",
    "heksherlite.testing.service",
    "heksherlite.values.msgspec_types",
    "heksherlite.values.pydantic_types",
)


def name_of(requirement: str) -> str:
    """Return the normalised name in a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def closure(names: set[str]) -> set[str]:
    """Return distributions with all that they need."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        needed = [line for line in requires(name) or () if "extra ==" not in line]
        todo |= {name_of(line) for line in needed} & installed() - found
    return found


def installed() -> set[str]:
    """Return the distributions of this environment."""
    return {name_of(distribution.metadata["Name"]) for distribution in distributions()}


def main() -> None:
    """Check what is installed and what can be imported."""
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).parents[1]]
    declared = {name_of(line) for line in requires("heksherlite") or () if "extra ==" not in line}
    assert declared == CORE, f"the core declares {declared}"
    surplus = installed() - closure({"heksherlite"}) - OF_THE_ENVIRONMENT
    assert not surplus, f"installed without being needed: {surplus}"

    heksherlite = importlib.import_module("heksherlite")
    package = Path(heksherlite.__file__).parent
    assert "site-packages" in package.parts, package
    assert package.joinpath("py.typed").is_file()
    for name in heksherlite.__all__:
        getattr(heksherlite, name)
    modules = sorted(
        ".".join(("heksherlite", *path.relative_to(package).with_suffix("").parts)).removesuffix(".__init__")
        for path in package.rglob("*.py")
    )
    core = [name for name in modules if not name.startswith(OF_AN_EXTRA) and name != "heksherlite.__main__"]
    for name in core:
        importlib.import_module(name)
    listed = subprocess.run([sys.executable, "-m", "heksherlite", "--help"], capture_output=True, text=True, check=True)
    assert "pip install 'heksherlite[service]'" in listed.stdout, listed.stdout
    print(f"heksherlite {heksherlite.__version__}: {len(core)} modules import with {', '.join(sorted(CORE))} alone")


if __name__ == "__main__":
    main()
