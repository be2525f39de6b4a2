"""Responses that are web pages: those of proxies, log-in pages and other servers. No I/O."""

import re
from typing import Final

_BEGINNING: Final = 1_000
"""The number of bytes in which a page is expected to have its title."""

_TITLE: Final = re.compile(r"<title>([^<]+)</title>", re.IGNORECASE)


def describe_web_page(media_type: str, content: bytes) -> str | None:
    """Return what to say about a response that is a web page, or ``None`` if it is something else."""
    if media_type != "text/html" or not content:
        return None
    title = _TITLE.search(content[:_BEGINNING].decode(errors="replace"))
    shown = f"the web page {' '.join(title[1].split())!r}" if title else "a web page"
    return f"the response is {shown}, which is not from a heksherlite service; check the URL"
