"""Let programs declare, change rules and read at once, and check that every reader ends up consistent.

Usage: ``python tests/stress/run.py [--seconds 30]``. Each of two scenarios takes that long, and some seconds more: one
service process, and two service processes that share one SQLite file. Exit code 0 if all is consistent, else 1.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    runpy.run_module("tests.stress", run_name="__main__")
