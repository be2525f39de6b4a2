"""Options of ``heksherlite serve`` that are refused before anything starts."""

import gc
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.cli.serve import _without_collections


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("environment,user", "separate names by semicolons: --context-features 'environment;user'"),
        ("environment user, theme", "separate names by semicolons: --context-features 'environment;user;theme'"),
        ("environment;user,theme", "separate names by semicolons: --context-features 'environment;user;theme'"),
        ("a-b", "'a-b' is not a name for a context feature (letters, digits and _)"),
    ],
)
def test_names_of_context_features(given: str, message: str, tmp_path: Path) -> None:
    """Another separator is named with the right one, and no database is made."""
    database = f"sqlite:///{tmp_path}/a.db"
    result = CliRunner().invoke(heksherlite, ["serve", "--database", database, "--context-features", given])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_the_garbage_collector_works_again_after_the_imports() -> None:
    """The service's modules are imported without garbage collections, which go on even if an import fails."""
    with _without_collections():
        assert not gc.isenabled()
    assert gc.isenabled()
    with suppress(ImportError), _without_collections():
        raise ImportError
    assert gc.isenabled()
