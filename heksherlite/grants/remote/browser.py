"""The browser of a person."""

import threading
import webbrowser
from contextlib import suppress


def open_page(page: str) -> None:
    """Open a page in a browser, in a thread of its own.

    It is no worker thread of the event loop, which would wait until a browser in the terminal exits.
    """
    threading.Thread(target=_open, args=(page,), name="heksherlite browser", daemon=True).start()


def _open(page: str) -> None:
    with suppress(webbrowser.Error):  # there is no browser; the person was told the URL
        webbrowser.open(page)
