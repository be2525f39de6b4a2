"""Queries: how many a service serves per second, and how long a new one takes."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import Running, constants, filled, service
from benchmarks.service.sizes import Sizes

_QUERY = "/api/v1/query"
_PASSED_ON = ("content-type", "etag", "vary", "cache-control", "link")


def reads(sizes: Sizes) -> list[Row]:
    """Measure queries of all rules: not modified, and in full; and ones for filters that are all different."""
    with filled(sizes.settings, sizes.rules_each) as database, service(database) as ours:
        with httpx.Client(base_url=ours.url, timeout=60) as http:
            response = http.get(_QUERY, headers={"Accept-Encoding": "identity"}).raise_for_status()
        tag = response.headers["etag"]
        headers = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        responses = {"/304": (304, headers, ""), "/200": (200, headers, response.text)}
        with constants(responses) as constant:
            unmodified = _in_turns(ours, constant, 304, {"If-None-Match": tag}, sizes)
            full = _in_turns(ours, constant, 200, {}, sizes)
    size = f"{sizes.settings} settings x {sizes.rules_each} rules"
    return [
        Row("reads", f"304, {size}", "µs", *unmodified, target=1.15),
        Row("reads", f"200, {size}, warm", "µs", *full, target=1.5),
        _new_filters(sizes),
    ]


def _new_filters(sizes: Sizes) -> Row:
    samples = []
    with (
        filled(sizes.filtered_settings, sizes.filtered_rules_each) as database,
        service(database) as ours,
        httpx.Client(base_url=ours.url, timeout=60) as http,
    ):
        http.get(_QUERY).raise_for_status()
        for number in range(sizes.filters):
            start = time.perf_counter()
            response = http.get(_QUERY, params={"context_filters": f"environment:*,user:(u{number})"})
            samples.append((time.perf_counter() - start) * 1e3)
            assert all(len(found["rules"]) == 1 for found in response.raise_for_status().json()["settings"].values())
    rules = sizes.filtered_settings * sizes.filtered_rules_each
    what = f"200 for a filter never seen before, {rules:,} rules"
    return Row("reads", what, "ms", samples, target=50, against="value", note=f"worst {max(samples):.0f} ms")


def _in_turns(
    ours: Running, constant: Running, status: int, headers: Mapping[str, str], sizes: Sizes
) -> tuple[list[float], list[float]]:
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(sizes.repeats):
        samples[0].append(load(ours.url + _QUERY, headers, status, sizes.seconds))
        samples[1].append(load(f"{constant.url}/{status}", headers, status, sizes.seconds))
    return samples


def load(url: str, headers: Mapping[str, str], status: int, seconds: float, body: str | None = None) -> float:
    """Return microseconds per response to a GET, or to a POST with a body."""
    parts = urlsplit(url)
    of_body = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields = {"Host": parts.netloc, **headers, **of_body}
    lines = [
        f"{'GET' if body is None else 'POST'} {parts.path} HTTP/1.1",
        *(f"{name}: {fields[name]}" for name in fields),
    ]
    request = "".join(f"{line}\r\n" for line in [*lines, ""]) + (body or "")
    program = [sys.executable, str(Path(__file__).with_name("load.py"))]
    command = [*program, str(parts.hostname), str(parts.port), request, str(status), str(seconds)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout) * 1e6
