"""A person chooses an endpoint in a terminal."""

import io
import os
import pty
import subprocess
import sys

import pytest

from heksherlite.errors import DiscoveryError
from heksherlite.grants import AdvertisedDiscovery, Endpoint, TerminalChooser

PROGRAM = """
from heksherlite.grants import Endpoint, TerminalChooser

first = Endpoint(name="one \\x1b[2J", base_url="http://one/f/", description="the first")
second = Endpoint(name="two", base_url="https://two/f/")
choose = TerminalChooser()
for endpoints in ([first, second], [second, first], [first]):
    chosen = choose(endpoints)
    print("chosen", chosen and chosen.base_url, flush=True)
"""


def choose(answers: bytes) -> str:
    """Run the program on a pseudo-terminal, and return what it displays."""
    controller, end = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        os.write(controller, answers)
        displayed = b""
        while True:
            try:
                displayed += os.read(controller, 10_000)
            except OSError:  # the program has ended
                break
        assert process.wait(60) == 0, displayed
    os.close(controller)
    return displayed.decode().replace("\r\n", "\n")


def test_a_choice() -> None:
    """The person sees names and addresses without control characters, is asked again after a mistake, then never."""
    displayed = choose(b"3\ntwo\n2\n")
    assert "  1  one �[2J  http://one/f/  the first\n  2  two  https://two/f/\n" in displayed
    assert "'3' is not a number from 1 to 2." in displayed
    assert "'two' is not a number from 1 to 2." in displayed
    assert displayed.count("chosen https://two/f/") == 2
    assert displayed.endswith("chosen None\n")
    assert displayed.count("These endpoints were found") == 1


def test_no_choice() -> None:
    """An empty line chooses none, and the next discovery asks again."""
    displayed = choose(b"\n\n\n")
    assert displayed.count("chosen None") == 3
    assert displayed.count("These endpoints were found") == 3


def test_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, the error says how to choose an endpoint beforehand."""
    endpoints = [Endpoint(name="one", base_url="http://one/f/")]
    for stream in (None, io.StringIO("1\n")):
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(DiscoveryError, match="pass host=, url= or fingerprint="):
            TerminalChooser()(endpoints)
    assert "TerminalChooser()" in repr(AdvertisedDiscovery(choose=TerminalChooser()))
