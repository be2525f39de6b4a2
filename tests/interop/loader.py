"""The original loader of grants as a black box: it claims facts from our service, and a person approves it."""

# ruff: noqa: T201 - it prints what it finds
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from heksherlite.service import AccessOptions, embedded
from tests.interop.environment import LOADER
from tests.service.browser import Browser, Page

_PROGRAM = Path(__file__).with_name("loader_program.py")
_FEATURES = ("environment", "user")
_CONFIGURE = "/f/configure/"


class Original:
    """A program with the original loader.

    Args:
        running: The process.
    """

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        self._running = running

    def next(self, what: str) -> Any:
        """Return its next message.

        Raises:
            AssertionError: It tells something else.
        """
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        told = json.loads(line) if line else {}
        assert what in told, f"{what} was expected of the original, not {line!r}"
        return told[what]


@contextmanager
def _original(python: Path, *arguments: str) -> Iterator[Original]:
    with subprocess.Popen([python, _PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as running:
        try:
            yield Original(running)
        finally:
            running.kill()


def compare_loader() -> None:
    """Approve the original loader, let it claim facts, and deny it.

    Raises:
        NotInstallableError: It cannot be had here.
        AssertionError: It does not get what it should.
    """
    python = LOADER.python()
    with tempfile.TemporaryDirectory() as folder:
        access = AccessOptions(auth="tokens", client_codes=True)
        with embedded(Path(folder, "a.db"), access=access, context_features=_FEATURES) as service:
            assert service.first_token is not None
            with Browser(service.url) as operator:
                operator.log_in(service.first_token)
                _is_approved(python, service.url, operator)
                _is_denied(python, service.url, operator)
                _claims_by_static_token(python, service.url, operator)
    print("The original loader is approved and denied by its device code, and claims by a static token.")


def _is_approved(python: Path, url: str, operator: Browser) -> None:
    with _original(python, "device_code", url, "60") as original:
        page = _page_of(original, operator)
        done = operator.send(page.form(_CONFIGURE), {"default.environment": "prod"}, decision="approve", scope=["read"])
        assert done.headings[0] in {"Approved", "Configured"}, done.text
        group = original.next("group")
    assert group["service_url"] == url, group
    assert group["defaults"] == {"environment": "prod"}, group
    _may_read_only(group)


def _is_denied(python: Path, url: str, operator: Browser) -> None:
    # The original does not look at a denial, and goes on asking until its time is over.
    with _original(python, "device_code", url, "5") as original:
        form = _page_of(original, operator).form(_CONFIGURE)
        assert operator.send(form, decision="deny").headings == ["Denied"]
        told = httpx.post(f"{url}/f/challenge/", json={"code": form.value("device_code")}).json()
        assert told == {"status": "denied"}, told
        original.next("error")


def _claims_by_static_token(python: Path, url: str, operator: Browser) -> None:
    manifest = {"identifier": "org.example.static", "version": "1", "scopes": ["read"], "image": None}
    with httpx.Client(base_url=f"{url}/f/") as http:
        code = http.post("start/", json={"manifest": manifest}).json()["code"]
        operator.send(operator.open(f"{_CONFIGURE}?device_code={code}").form(_CONFIGURE), decision="approve")
        token = http.post("challenge/", json={"code": code}).json()["token"]
    with _original(python, "static", url, token) as original:
        _may_read_only(original.next("group"))
    with _original(python, "static", url, f"{token}x") as original:
        original.next("error")


def _page_of(original: Original, operator: Browser) -> Page:
    page = operator.open(original.next("page"))
    for text in ("org.example.original", "1.0", "The application chose this code itself"):
        assert text in page.text, page.text
    return page


def _may_read_only(group: dict[str, Any]) -> None:
    with httpx.Client(base_url=group["service_url"], headers={"Authorization": f"Bearer {group['token']}"}) as http:
        assert http.get("/api/v1/query").status_code == 200
        assert http.post("/api/v1/settings/declare", json={}).status_code == 403
