"""Run the benchmarks; ``python benchmarks/run.py --help`` says how."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    runpy.run_module("benchmarks", run_name="__main__")
