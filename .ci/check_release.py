"""Checks that a tag, the version of the package and the changelog agree, before a release is published.

Usage: python .ci/check_release.py v1.2.3
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def problems(tag: str, version_file: str, changelog: str) -> list[str]:
    """Return what disagrees, one sentence each.

    Args:
        tag: The name of the tag.
        version_file: The text of `heksherlite/_version.py`.
        changelog: The text of `CHANGELOG.md`.
    """
    found = re.search(r'^__version__ = "(.+)"$', version_file, re.MULTILINE)
    if found is None:
        return ['heksherlite/_version.py has no line `__version__ = "..."`']
    version = found[1]
    faults = []
    if tag != f"v{version}":
        faults.append(
            f"the tag is {tag}, but the version in heksherlite/_version.py is {version}: the tag must be v{version}"
        )
    section = re.search(
        rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d{{2}}-\d{{2}})\n(.*?)(?=^## |^\[|\Z)",
        changelog,
        re.DOTALL | re.MULTILINE,
    )
    if section is None:
        faults.append(f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`")
    elif "- " not in section[2]:
        faults.append(f"the section [{version}] of CHANGELOG.md has no entries")
    if not re.search(rf"^\[{re.escape(version)}\]: http", changelog, re.MULTILINE):
        faults.append(f"CHANGELOG.md has no link `[{version}]: https://...` at its end")
    return faults


def main() -> None:
    """Check the tag that is the only argument."""
    (tag,) = sys.argv[1:]
    version_file = ROOT.joinpath("heksherlite", "_version.py").read_text("utf-8")
    faults = problems(tag, version_file, ROOT.joinpath("CHANGELOG.md").read_text("utf-8"))
    if faults:
        sys.exit("\n".join(faults))
    print(f"{tag}: the tag, the version and the changelog agree")


if __name__ == "__main__":
    main()
