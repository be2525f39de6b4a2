"""People at a real browser, whose console and whose requests are watched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
SIZES = {"small": (320, 640), "phone": (360, 780), "zoomed": (640, 450), "desktop": (1280, 900), "wide": (1600, 1000)}
"""The sizes of windows. What is zoomed is a window of 1280 by 900 at 200 %."""
MILLISECONDS = 30_000


@contextmanager
def running_chromium() -> Iterator[Any]:
    """Run Chromium: that of the system, or the one that playwright installed."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="there is no playwright: pip install 'heksherlite[browser]' brings it"
    )
    with api.sync_playwright() as playwright:
        installed = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
        path = next((path for path in installed if path), playwright.chromium.executable_path)
        if not Path(path).exists():
            pytest.skip("there is no Chromium: apt-get install chromium, or python -m playwright install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A person at a browser whose console and requests are recorded.

    Args:
        browser: The browser.
        url: The service.
        size: The size of the screen, one of `SIZES`.
        scheme: Whether the system is ``light`` or ``dark``.
        script: Whether scripts run.
    """

    def __init__(self, browser: Any, url: str, size: str, scheme: str, *, script: bool = True) -> None:
        width, height = SIZES[size]
        self._context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=size == "phone",
            java_script_enabled=script,
        )
        self._context.set_default_timeout(MILLISECONDS)
        self._name = f"{size}-{scheme}"
        self._has_script = script
        self.url = url
        self.page = self._context.new_page()
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self._note_request(request.url, url))

    def log_in(self, token: str) -> None:
        self.page.get_by_label("Token").fill(token)
        self.press("Log in")
        self.page.wait_for_load_state("load")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def follow(self, name: str) -> None:
        """Follow a link."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def fill(self, label: str, text: str) -> None:
        """Fill in a field."""
        self.page.get_by_label(label, exact=True).fill(text)

    def text(self) -> str:
        """Return what is to be read, with single blanks."""
        return " ".join(str(self.page.inner_text("main")).split())

    def heading(self) -> str:
        text: str = self.page.get_by_role("heading", level=1).inner_text()
        return text

    def picture(self, name: str) -> None:
        """Take a screenshot, and check that everything is within reach."""
        if self._has_script:
            width = self.page.locator("html").evaluate("page => page.scrollWidth")  # waits for a page that comes
            assert width <= self.page.viewport_size["width"], f"{name} has to be scrolled sideways"
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self._name}.png", full_page=True)

    def check(self) -> None:
        """Check that the console has no errors, and that all requests went to the service."""
        self._context.close()
        assert self.complaints == []
        assert self.strangers == []

    def _note(self, message: Any) -> None:
        # Pages with a status of an error, a browser's own icon, and advice about passwords are no complaints.
        if "Content Security Policy" in message.text or "Refused" in message.text:
            self.complaints.append(message.text)

    def _note_request(self, requested: str, url: str) -> None:
        if not requested.startswith(f"{url}/"):
            self.strangers.append(requested)
