"""The pictures of the console are small, all of them are shown, and the script takes them from the real pages."""

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
LARGEST = 60_000
"""The largest picture, in bytes."""


def test_every_picture_is_shown_and_small() -> None:
    """README and documentation show exactly the pictures that there are."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w-]+\.png)", page.read_text(encoding="utf-8"))}
    assert shown == {path.name for path in FOLDER.glob("*.png")}
    assert [path.name for path in FOLDER.glob("*.png") if path.stat().st_size > LARGEST] == []


@pytest.mark.thorough
def test_the_script_takes_all_pictures(tmp_path: Path) -> None:
    """The pages are still as the script expects them, and the new pictures are as wide and as small as the old ones."""
    for module in ("playwright", "PIL"):
        pytest.importorskip(module, reason="pip install 'heksherlite[browser]' brings what takes pictures")
    if shutil.which("chromium") is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    subprocess.run([sys.executable, FOLDER / "take.py", tmp_path], check=True, timeout=120)
    assert {path.name: _width(path) for path in tmp_path.iterdir()} == {
        path.name: _width(path) for path in FOLDER.glob("*.png")
    }
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size > LARGEST] == []


def _width(path: Path) -> int:
    """Return the width of a PNG file, which is in its first header."""
    width: int = struct.unpack(">I", path.read_bytes()[16:20])[0]
    return width
