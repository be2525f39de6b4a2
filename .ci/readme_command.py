"""Prints a command of the README: the first shell block below a heading.

Usage: python .ci/readme_command.py HEADING
"""

import re
import sys
from pathlib import Path


def main() -> None:
    """Print the command below the heading that is the only argument."""
    (heading,) = sys.argv[1:]
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", readme, re.DOTALL | re.MULTILINE)
    if section is None:
        sys.exit(f"README.md has no heading {heading!r}")
    command = re.search(r"^```(?:sh|shell|console|bash)\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    if command is None:
        sys.exit(f"README.md has no shell block below {heading!r}")
    print(command[1], end="")


if __name__ == "__main__":
    main()
