"""Take the pictures of the console from its real pages: ``python docs/pictures/take.py [FOLDER]``.

It needs ``heksherlite[service,browser]`` and Chromium: that of the system, or the one that playwright installs.
Without a folder, the pictures of the documentation are replaced.
"""

import shutil
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from time import sleep

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from heksherlite.service.embedding import EmbeddedService
from heksherlite.service.options import ServiceOptions

PICTURES = {
    "light": ("settings", "setting", "values"),
    "dark": ("settings", "draft"),
}
"""The pages that README and documentation show, by the colors in which they do."""

COLORS = 96
"""How many colors a picture has. They are enough for text on plain backgrounds, and make it small."""

FEATURES = ("environment", "customer", "user")
SETTINGS = (
    ("cache_ttl", "int", 60, "How long answers are cached, in seconds."),
    ("checkout.enabled", "bool", True, "Whether customers can pay."),
    ("checkout.methods", 'Flags["card","invoice","paypal"]', ["card"], "The methods of payment that are offered."),
    ("checkout.page_size", "int", 20, "Articles on a page."),
    ("mail.sender", "str", "shop@example.com", "The address of all mails to customers."),
)
RULES: tuple[tuple[str, object, dict[str, str]], ...] = (
    ("cache_ttl", 10, {"environment": "dev"}),
    ("cache_ttl", 0, {"environment": "dev", "user": "john"}),
    ("cache_ttl", 300, {"environment": "prod"}),
    ("checkout.methods", ["card", "invoice"], {"customer": "acme"}),
    ("checkout.page_size", 50, {"environment": "prod"}),
)
LATER = ((120, "the cache was too old"), (600, "the database was slow"), (450, "a compromise"))


def main(folder: Path) -> None:
    """Take all pictures.

    Args:
        folder: Where they are saved.
    """
    options = ServiceOptions(context_features=FEATURES, title="Shop, production", color="crimson")
    service = EmbeddedService(None, host="127.0.0.1", port=0, options=options)
    with service, sync_playwright() as playwright:
        fill(service.url)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme, names in PICTURES.items():
            size = {"width": 1000, "height": 900}
            page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
            for name, picture in take(page, service.url):
                if name in names:
                    save(picture, folder / f"console-{name}-{scheme}.png")
        browser.close()


def save(picture: bytes, path: Path) -> None:
    """Save a picture with few colors."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def fill(url: str) -> None:
    """Declare the settings, and add the rules."""
    with httpx.Client(base_url=f"{url}/api/v1") as api:
        for name, type_, default, description in SETTINGS:
            declaration = {
                "name": name,
                "type": type_,
                "default_value": default,
                "configurable_features": FEATURES,
                "metadata": {"description": description},
            }
            api.post("/settings/declare", json=declaration).raise_for_status()
        operations = [
            {"op": "put_rule", "setting": name, "feature_values": conditions, "value": value}
            for name, value, conditions in RULES
        ]
        api.post("/changes", json={"operations": operations, "reason": "the first rules"}).raise_for_status()
        for value, reason in LATER:
            in_production = {"environment": "prod"}
            operation = {"op": "put_rule", "setting": "cache_ttl", "feature_values": in_production, "value": value}
            api.post("/changes", json={"operations": [operation], "reason": reason}).raise_for_status()
            sleep(0.3)


def take(page: Page, url: str) -> Iterator[tuple[str, bytes]]:
    """Visit the pages, and yield the names of their pictures and the pictures."""
    page.goto(f"{url}/console/?c.environment=prod&c.customer=acme&c.user=john")
    yield "settings", page.screenshot()
    page.goto(f"{url}/console/settings/cache_ttl?c.environment=dev")
    yield "setting", page.screenshot()
    page.goto(f"{url}/console/history?setting=cache_ttl&c.environment=prod")
    yield "values", page.locator("section", has=page.locator(".chart")).screenshot()
    page.goto(f"{url}/console/settings/cache_ttl/edit")
    page.get_by_label("environment").fill("staging")
    page.get_by_label("Value", exact=True).fill("30")
    page.get_by_role("button", name="Add to draft").click()
    page.get_by_label("Reason").fill("as in the test")
    yield "draft", page.screenshot()
    page.get_by_role("button", name="Discard all").click()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
