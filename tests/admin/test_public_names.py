"""What ``heksherlite.admin`` exports."""

import inspect
import subprocess
import sys

import pytest

from heksherlite import admin
from heksherlite.admin import AdminClient, AsyncAdminClient
from heksherlite.operations import OPERATIONS


def test_names_are_sorted() -> None:
    """__all__ is sorted, constants before classes, without duplicates."""
    assert sorted(set(admin.__all__), key=lambda name: (not name.isupper(), name)) == admin.__all__


@pytest.mark.parametrize("name", [name for name in admin.__all__ if inspect.isclass(getattr(admin, name))])
def test_every_public_name_is_documented(name: str) -> None:
    """Every public class and method has a docstring."""
    thing = getattr(admin, name)
    assert inspect.getdoc(thing)
    for member in vars(thing).values():
        if inspect.isfunction(member) and not member.__name__.startswith("_"):
            assert inspect.getdoc(member), f"{name}.{member.__name__} has no docstring"


def test_every_operation_is_exported() -> None:
    """Scripts import operations from where the client is."""
    assert {operation.__name__ for operation in OPERATIONS.values()} <= set(admin.__all__)


def test_both_clients_have_the_same_methods() -> None:
    """The methods of both have the same parameters, but for the end of the client."""

    def signatures(client: type) -> dict[str, object]:
        members = vars(client).items()
        return {name: inspect.signature(each) for name, each in members if callable(each) and name[0] != "_"}

    assert signatures(AdminClient).keys() - {"close"} == signatures(AsyncAdminClient).keys() - {"aclose"}
    assert inspect.iscoroutinefunction(AsyncAdminClient.change)
    assert inspect.signature(AdminClient.rule) == inspect.signature(AsyncAdminClient.rule)
    assert list(inspect.signature(AdminClient.rule).parameters) == ["self", "rule_id"]


def test_the_client_needs_no_extra() -> None:
    """Importing it imports nothing beyond the core dependencies."""
    program = (
        "import sys, heksherlite.admin\n"
        "print(sorted({'fastapi', 'pydantic', 'sqlalchemy', 'jinja2', 'yaml'}.intersection(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[]\n", "")
