"""The plugin of pytest for heksherlite.

Each run of pytest imports this module. It imports nothing until a test needs it, and so it is not in the package.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from heksherlite.service import EmbeddedService
    from heksherlite.testing import Overrides
    from heksherlite.testing.report import Report
    from heksherlite.testing.service import EmptiedService

_MARKED: pytest.StashKey[Overrides] = pytest.StashKey()
_REPORT: pytest.StashKey[Report] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("heksher").addoption(
        "--heksher-report",
        action="store_true",
        help="Show which settings the tests read, and which of them only ever with their default.",
    )
    parser.addini("heksher_strict", "Require every context feature in tests without a client.", "bool", default=False)
    parser.addini("heksher_context_features", "The context features of heksher_service, most general first.", "args")


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker, and start what the options ask for."""
    config.addinivalue_line(
        "markers",
        "heksher(values, /, *, where=None, **by_name): give settings other values in a test, as "
        "heksherlite.testing.override does",
    )
    if config.getini("heksher_strict"):
        from heksherlite.testing import strict

        strictness = ExitStack()
        strictness.enter_context(strict())
        config.add_cleanup(strictness.close)
    if config.getoption("heksher_report"):
        from heksherlite.testing.report import Report

        config.stash[_REPORT] = report = Report()
        config.add_cleanup(report.stop)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give settings the values of the markers of a test. The closest one wins."""
    if markers := list(item.iter_markers("heksher")):
        from heksherlite.testing import Overrides

        item.stash[_MARKED] = overrides = Overrides()
        for marker in reversed(markers):
            overrides.set_all(*marker.args, **marker.kwargs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Undo what the markers did."""
    try:
        return (yield)
    finally:
        if _MARKED in item.stash:
            item.stash[_MARKED].close()
            del item.stash[_MARKED]


@pytest.fixture
def heksher() -> Iterator[Overrides]:
    """Give settings and context features other values. All of it is undone at the end of the test."""
    from heksherlite.testing import Overrides

    lookups = logging.getLogger("heksherlite.lookup")
    lookups.addFilter(_is_no_noise)
    try:
        with Overrides() as overrides:
            yield overrides
    finally:
        lookups.removeFilter(_is_no_noise)


def _is_no_noise(record: logging.LogRecord) -> bool:
    return not record.msg.startswith("the value of setting was never retrieved")


@pytest.fixture(scope="session")
def _emptied_service() -> Iterator[EmptiedService]:
    from heksherlite.testing.service import EmptiedService

    with EmptiedService() as service:
        yield service


@pytest.fixture
def heksher_service(_emptied_service: EmptiedService, pytestconfig: pytest.Config) -> EmbeddedService:
    """Return a real service in this process, without settings. All tests of a process share it."""
    _emptied_service.empty(pytestconfig.getini("heksher_context_features"))
    return _emptied_service.service


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what a worker of pytest-xdist saw to the process that shows it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None and (report := session.config.stash.get(_REPORT, None)) is not None:
        output["heksher_report"] = report.as_json()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Receive what a worker of pytest-xdist saw."""
    report = node.config.stash.get(_REPORT, None)  # type: ignore[attr-defined]
    output = getattr(node, "workeroutput", {})
    if report is not None and "heksher_report" in output:
        report.add(output["heksher_report"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the report."""
    report = config.stash.get(_REPORT, None)
    if report is not None:
        terminalreporter.section("settings")
        for line in report.lines():
            terminalreporter.line(line)
