"""Tracebacks with local variables, as error trackers record them."""

import traceback
from pathlib import Path

TESTS = str(Path(__file__).parents[1])


def shown(error: BaseException) -> str:
    """Return a traceback with local variables, without the frames of the tests."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in report.stack if not frame.filename.startswith(TESTS)]
    assert any("heksherlite" in frame.filename for frame in frames)
    report.stack = traceback.StackSummary.from_list(frames)
    return "".join(report.format())
