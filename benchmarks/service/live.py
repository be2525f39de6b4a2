"""How long it takes until a page of the console that is open shows what somebody else changed.

The page is open in Chromium, and the clock begins before the request with the change is sent. Measured are the note
that says who changed what, and the value that is replaced in its place. Run it with
``python -m benchmarks.service.live``; it needs ``heksherlite[service,postgresql,browser]`` and Chromium.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.service.databases import new_database, postgresql
from heksherlite.service import embedded

REPETITIONS = 15
NOW_AND_THEN = 1.5
"""Seconds between changes, so that each one finds a quiet page."""
FOLLOWING = 40
INTERVAL = 0.2
"""Seconds between changes that follow each other. A value that is never shown counts until a newer one is."""

OBSERVER = """
window.notes = {};
window.values = {};
const look = () => {
  for (const [, number] of (document.getElementById("live").textContent || "").matchAll(/“change (\\d+)”/g))
    window.notes[number] ??= Date.now();
  const shown = document.querySelector("tr[data-fresh=limit] code.value").textContent.trim();
  window.values[shown] ??= Date.now();
};
new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
"""


def open_page(page: Any, url: str) -> None:
    """Open the table of settings, and note when notes and values are shown."""
    with page.expect_response(lambda response: "/console/events" in response.url):
        page.goto(f"{url}/console/")
    page.evaluate(OBSERVER)


def change(api: httpx.Client, number: int) -> float:
    """Change the setting, and return when that began, in milliseconds since the epoch."""
    operation = {"op": "set_default", "setting": "limit", "value": number}
    began = 1_000 * time.time()
    api.post("/changes", json={"operations": [operation], "reason": f"change {number}"}).raise_for_status()
    return began


def measure_following(page: Any, read: str, write: str) -> tuple[list[float], float]:
    """Return how old the values became while changes follow each other, and how many pages were fetched per second."""
    open_page(page, read)
    fetched = []
    page.on("request", lambda request: fetched.append(request) if request.resource_type == "fetch" else None)
    with httpx.Client(base_url=f"{write}/api/v1") as api:
        began = {}
        for number in range(2_000, 2_000 + FOLLOWING):
            began[number] = change(api, number)
            page.wait_for_timeout(1_000 * INTERVAL)
    page.wait_for_function("n => window.values[n]", arg=max(began))
    shown = {int(value): at for value, at in page.evaluate("window.values").items()}
    ages = [min(at for value, at in shown.items() if value >= number) - at_first for number, at_first in began.items()]
    return ages, len(fetched) / (FOLLOWING * INTERVAL)


def measure(page: Any, read: str, write: str) -> Iterator[tuple[float, float]]:
    """Change a setting again and again, and yield after how many milliseconds the note and the value were shown."""
    open_page(page, read)
    with httpx.Client(base_url=f"{write}/api/v1") as api:
        for number in range(1_000, 1_000 + REPETITIONS):
            time.sleep(NOW_AND_THEN)
            began = change(api, number)
            shown = None
            while shown is None:
                page.wait_for_timeout(20)
                shown = page.evaluate(
                    "n => window.notes[n] && window.values[n] && [window.notes[n], window.values[n]]", str(number)
                )
            yield shown[0] - began, shown[1] - began


def main() -> None:
    """Print a line for each way from the change to the page."""
    with ExitStack() as stack:
        sqlite = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/a.db"
        databases = {"SQLite": sqlite, "PostgreSQL": new_database(stack.enter_context(postgresql()), "live")}
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        print(f"{'milliseconds':<40} {'note':>14} {'value':>14}")
        print(f"{'':<40} {'median':>7}{'worst':>7} {'median':>7}{'worst':>7}")
        for name, database in databases.items():
            first = stack.enter_context(embedded(database, context_features=["environment"]))
            second = stack.enter_context(embedded(database))
            declaration = {"name": "limit", "type": "int", "default_value": 1, "configurable_features": ["environment"]}
            httpx.post(f"{first.url}/api/v1/settings/declare", json=declaration).raise_for_status()
            for how, write in (("by the same process", first.url), ("by another process", second.url)):
                page = browser.new_page()
                notes, values = zip(*measure(page, first.url, write), strict=True)
                ages, fetches = measure_following(page, first.url, write)
                page.close()
                row = [f"{statistics.median(each):7.0f}{max(each):7.0f}" for each in (notes, values)]
                print(f"{f'{name}, changed {how}':<40} {row[0]} {row[1]}", flush=True)
                following = f"{statistics.median(ages):7.0f}{max(ages):7.0f}, {fetches:.1f} pages per second"
                print(f"{f'  every {INTERVAL:g} s':<40} {'':>14} {following}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
