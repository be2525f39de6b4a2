"""Run the original SDK and the original loader of grants as black boxes against our service.

Usage: ``python tests/interop/run.py``. Exit code 0 if they agree (or the original does not install on this Python,
which is newer than 3.11), else 1.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    runpy.run_module("tests.interop", run_name="__main__")
