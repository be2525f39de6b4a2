"""Looks up the pinned versions of ``.ci/constraints.txt`` in the advisories of PyPI, and fails if one is affected.

Without network, it says that nothing was looked up, and does not fail: the scheduled workflow has network.
"""

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("constraints.txt")


def main() -> int:
    """Audit the versions, and return the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--format", "json"]
    process = subprocess.run([*command, "--no-deps", "--disable-pip"], capture_output=True, text=True, check=False)
    if not process.stdout.startswith("{"):
        reason = process.stderr.strip().splitlines()[-1:] or ["no output"]
        print(f"The advisories cannot be read, so nothing was audited: {reason[0]}")
        return 0
    audited = [one for one in json.loads(process.stdout)["dependencies"] if "vulns" in one]
    if not audited:
        print("The package index has no advisories, so nothing was audited.")
        return 0
    affected = [one for one in audited if one["vulns"]]
    for one in affected:
        for advisory in one["vulns"]:
            fixed = ", ".join(advisory["fix_versions"]) or "no version"
            print(f"{one['name']} {one['version']}: {advisory['id']}, fixed in {fixed}")
    print(f"{len(audited)} versions audited, {len(affected)} affected")
    return 1 if affected else 0


if __name__ == "__main__":
    sys.exit(main())
