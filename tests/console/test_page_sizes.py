"""Pages stay small, also with large values."""

from heksherlite.service.console.rendering import assets
from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser


def test_large_values_do_not_make_pages_large(api: Api, browser: Browser) -> None:
    """A page with its style and scripts has at most 200 KiB, and the scripts have at most 40 KiB."""
    for number in range(40):
        api.declare(f"large_{number}", type="str", default_value="x" * 20_000)
    change(api, "large", *[rule("y" * 20_000, "large_0", user=f"u{number}") for number in range(20)])
    scripts = sum(len(content) for name, content in assets().items() if name.endswith(".js"))
    others = sum(len(content) for content in assets().values()) - scripts
    assert scripts <= 40 * 1024
    for path in ("", "settings/large_0", "history", "history?setting=large_0&c.user=u1", "explain"):
        page = browser.http.get(f"/console/{path}").raise_for_status()
        assert len(page.content) + scripts + others <= 200 * 1024, (path, len(page.content))
