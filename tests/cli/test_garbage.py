"""Commands that make many objects collect no garbage meanwhile."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("is_enabled", [True, False])
@pytest.mark.parametrize("text", ["owner: a\nsettings: {}\n", "owner: 1\n"], ids=["valid", "faulty"])
def test_the_collector_is_as_before(tmp_path: Path, text: str, *, is_enabled: bool) -> None:
    """After a command, and after one that fails, the garbage collector is on only if it was."""
    file = tmp_path / "a.yaml"
    file.write_text(text, "utf-8")
    (gc.enable if is_enabled else gc.disable)()
    result = CliRunner().invoke(heksherlite, ["validate", str(file)])
    assert result.exit_code == ("owner: 1" in text)
    assert gc.isenabled() == is_enabled
