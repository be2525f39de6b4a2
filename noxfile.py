"""The project's tasks, under the usual names: `nox --list` shows them, and `.ci/run` runs the same ones.

Each session makes an environment of its own. In an environment that has the project already, such as the one that the
README's command for the tests makes, `nox --no-venv --no-install -s lint` runs a session without making another.
"""

import sys
import tempfile
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "typecheck", "tests"]

ROOT = Path(__file__).parent
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
PYTHONS = ["3.11", "3.12", "3.13"]
OLDEST = PYTHONS[0]


def install(session: nox.Session, *requirements: str) -> None:
    """Install the project for development, with the versions that CI uses, and further requirements."""
    session.install("-e", ".[dev]", *requirements, env={"PIP_CONSTRAINT": str(CONSTRAINTS)})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` go to pytest."""
    install(session)
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=OLDEST)
def thorough(session: nox.Session) -> None:
    """Run the tests that take long: fuzzing, stress, a browser."""
    install(session, ".[browser]")
    session.run("python", "-m", "pytest", "-m", "thorough", *session.posargs)


@nox.session(python=PYTHONS)
def foreign(session: nox.Session) -> None:
    """Run the tests of processes beside uWSGI, gevent, eventlet and nest_asyncio, as far as these can be installed."""
    constrained = {"PIP_CONSTRAINT": str(CONSTRAINTS)}
    tools = ("gunicorn", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
    session.install("-e", ".[service,postgresql]", *tools, env=constrained)
    lines = [line.partition("#")[0].strip() for line in (ROOT / ".ci" / "foreign.txt").read_text("utf-8").splitlines()]
    missing = []
    for requirement in filter(None, lines):
        try:
            session.install(requirement, env=constrained)
        except CommandFailed:
            missing.append(requirement)
    session.run(
        "python", "-m", "pytest", "-m", "thorough or not thorough", "-n", "2", "tests/processes", *session.posargs
    )
    if missing:
        session.warn(f"tests were skipped, because these cannot be installed here: {', '.join(missing)}")


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Check format, style, which module imports which, and the workflows."""
    install(session)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    workflows = sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(python=OLDEST)
def typecheck(session: nox.Session) -> None:
    """Check types with mypy and basedpyright."""
    install(session)
    session.run("mypy")
    session.run("basedpyright")


@nox.session(python=OLDEST)
def audit(session: nox.Session) -> None:
    """Look for insecure code, for installed versions that do not fit together, and for versions with advisories."""
    install(session)
    session.run(
        "bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "heksherlite", "heksherlite_pytest.py"
    )
    session.run("python", "-m", "pip", "check")
    session.run("python", ".ci/audit.py")


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """Build the documentation site into `docs/_build`; a warning is an error."""
    install(session, ".[docs]")
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-q", "docs", "docs/_build", *session.posargs)


@nox.session(python=OLDEST)
def interop(session: nox.Session) -> None:
    """Run the original SDK and the original loader of grants, from PyPI, against our service."""
    install(session)
    session.run("python", "tests/interop/run.py")


@nox.session(python=OLDEST)
def httpx2(session: nox.Session) -> None:
    """Run the tests of integrations beside httpx2, which gql and others use instead of httpx if it is installed."""
    install(session)
    session.install("httpx2")
    session.run("pytest", "tests/integrations/test_graphql.py", "tests/integrations/test_oauth2.py")


@nox.session(python=OLDEST)
def build(session: nox.Session) -> None:
    """Build the sdist, and the wheel from it, into a folder (`dist`, or the argument), and check both."""
    install(session)
    dist = Path(session.posargs[0] if session.posargs else "dist").resolve()
    left = [path.name for path in dist.glob("*")]
    if left:
        session.error(
            f"{dist} has {', '.join(left)}: give an empty folder, so that nothing old is checked or published"
        )
    session.run("python", "-m", "build", "--outdir", str(dist), ".")
    distributions = sorted(map(str, dist.iterdir()))
    session.run("twine", "check", "--strict", *distributions)
    (wheel,) = dist.glob("*.whl")
    session.run("check-wheel-contents", str(wheel))
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "venv", folder, silent=True)
        python = str(Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python"))
        session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
        session.run(python, "-W", "error", ".ci/check_core.py", external=True)


@nox.session(python=OLDEST)
def bench(session: nox.Session) -> None:
    """Measure `get`, loading, memory and import time; arguments after `--` go to `benchmarks/run.py`."""
    install(session)
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session(python=OLDEST)
def lock(session: nox.Session) -> None:
    """Renew the versions that CI uses: the newest that fit together, on every supported Python."""
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST, "--upgrade"),
        *("--all-extras", "--no-annotate", "--custom-compile-command", "nox -s lock"),
        *("pyproject.toml", "--output-file", str(CONSTRAINTS.relative_to(ROOT))),
    )
