"""OFREP: how many evaluations a service does per second."""

import json
from typing import TYPE_CHECKING

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import constants, filled, service
from benchmarks.service.reads import load
from benchmarks.service.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FLAGS = "/ofrep/v1/evaluate/flags"
_BODY = json.dumps({"context": {"environment": "e3", "user": "u3", "plan": "free"}})
_PASSED_ON = ("content-type", "etag", "cache-control")


def ofrep(sizes: Sizes) -> list[Row]:
    """Measure the evaluation of one flag, of all flags at once, and of all flags that did not change."""
    with filled(sizes.settings, sizes.rules_each) as database, service(database) as ours:
        with httpx.Client(base_url=ours.url, timeout=60) as http:
            one = http.post(f"{_FLAGS}/setting_1", content=_BODY).raise_for_status()
            every = http.post(_FLAGS, content=_BODY).raise_for_status()
        assert one.json()["reason"] == "TARGETING_MATCH" or sizes.rules_each < 4
        tag = every.headers["etag"]
        cases: Sequence[tuple[str, str, int, Mapping[str, str], httpx.Response, float]] = (
            ("one flag", f"{_FLAGS}/setting_1", 200, {}, one, 1 / 0.6),
            (f"{sizes.settings} flags at once", _FLAGS, 200, {}, every, 1 / 0.3),
            (f"{sizes.settings} flags at once, 304", _FLAGS, 304, {"If-None-Match": tag}, every, 1 / 0.8),
        )
        rows = []
        for what, path, status, headers, response, target in cases:
            sent = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
            text = response.text if status == 200 else ""
            with constants({"/answer": (status, sent, text)}) as constant:
                samples: tuple[list[float], list[float]] = ([], [])
                for _ in range(sizes.repeats):
                    samples[0].append(load(ours.url + path, headers, status, sizes.seconds, _BODY))
                    samples[1].append(load(f"{constant.url}/answer", headers, status, sizes.seconds, _BODY))
            note = f"{100 / target:.0f} % of the rate is the target"
            rows.append(Row("ofrep", what, "µs", *samples, target=target, note=note))
    return rows
