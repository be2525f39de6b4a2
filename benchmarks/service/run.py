"""Run the benchmarks of the service; ``python benchmarks/service/run.py --help`` says how."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    runpy.run_module("benchmarks.service", run_name="__main__")
