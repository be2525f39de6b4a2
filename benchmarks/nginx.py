"""Queries per second with nginx as a cache in front of the service, and without.

Usage: ``python benchmarks/nginx.py [--seconds 5] [--rounds 3]``, with nginx and wrk installed. 100 settings with 100
rules each; 16 connections, in turns.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import httpx

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.data import many_settings
from benchmarks.measures.service import running
from tests.service.nginx import NGINX, nginx

_PATH = "/api/v1/query"
_RULES = 10_000
_PLAIN = {"Accept-Encoding": "identity"}  # as wrk asks: compressed responses have other tags


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description="Measure nginx as a cache in front of the service.")
    parser.add_argument("--seconds", type=int, default=5, help="how long each kind is asked for, 5 by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often, 3 by default")
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None or NGINX is None:
        sys.exit("this needs nginx and wrk: apt-get install nginx wrk")
    with (
        tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder,
        running(many_settings(_RULES), "--cache-max-age", "1") as service,
        nginx(Path(folder), service.url) as cached,
    ):
        rates: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            for name, url in (("the service", service.url), ("nginx", cached)):
                tag = _tag(url)
                for kind, headers in (("304", {"If-None-Match": tag}), ("200", {})):
                    assert httpx.get(url + _PATH, headers={**_PLAIN, **headers}).status_code == int(kind)
                    sent = [part for name_and_value in headers.items() for part in ("-H", ": ".join(name_and_value))]
                    command = [wrk, "-t1", "-c16", f"-d{arguments.seconds}s", *sent, url + _PATH]
                    rates.setdefault(f"{kind} by {name}", []).append(_rate(command))
    for what, measured in rates.items():
        print(
            f"{what:<20} {median(measured):9,.0f} a second   (of {len(measured)}: {min(measured):,.0f} to"
            f" {max(measured):,.0f})"
        )


def _tag(url: str) -> str:
    tag: str = httpx.get(url + _PATH, headers=_PLAIN, timeout=60).raise_for_status().headers["etag"]
    return tag


def _rate(command: list[str]) -> float:
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Socket errors" in output or "Non-2xx" in output:
        raise RuntimeError(output)
    found = re.search(r"Requests/sec: +([0-9.]+)", output)
    assert found is not None, output
    return float(found[1])


if __name__ == "__main__":
    main()
