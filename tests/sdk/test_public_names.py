import inspect
import subprocess
import sys

import pytest

import heksherlite

SPECIFIED = [
    "Setting",
    "AsyncHeksherClient",
    "ThreadHeksherClient",
    "TRACK_ALL",
    "SettingType",
    "HeksherEnum",
    "HeksherFlags",
    "HeksherSequence",
    "HeksherMapping",
    "setting_type",
    "Conversion",
    "NoMatchError",
    "SettingData",
    "__version__",
    "SyncStubHeksherClient",
    "AsyncStubHeksherClient",
    "Rule",
]


@pytest.mark.parametrize("name", SPECIFIED)
def test_every_specified_name_is_exported(name: str) -> None:
    """The top level exports every name that programs written for the original package use."""
    assert hasattr(heksherlite, name)
    assert name in heksherlite.__all__


def test_names_are_sorted() -> None:
    """__all__ is sorted, constants before classes before functions, without duplicates."""

    def key(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2), name

    assert heksherlite.__all__ == sorted(set(heksherlite.__all__), key=key)


def test_names_are_listed() -> None:
    """dir() lists every public name, including those that are imported on first use."""
    assert set(heksherlite.__all__) <= set(dir(heksherlite))


@pytest.mark.parametrize("name", heksherlite.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Every public class and function, and every public method of a class, has a docstring."""
    thing = getattr(heksherlite, name)
    if isinstance(thing, str):
        return
    assert inspect.getdoc(thing)
    if not isinstance(thing, type):
        return
    methods = [member for member in vars(thing).values() if inspect.isfunction(member) or isinstance(member, property)]
    for member in methods:
        function = member.fget if isinstance(member, property) else member
        assert function is not None
        if not function.__name__.startswith("_") and "overload" not in function.__qualname__:
            assert inspect.getdoc(member), f"{name}.{function.__name__} has no docstring"


def test_unknown_names_raise_attribute_error() -> None:
    """An unknown name raises an AttributeError that contains the name."""
    with pytest.raises(AttributeError, match="'Heksher'"):
        _ = heksherlite.Heksher


def test_importing_is_light() -> None:
    """Importing the package and creating a setting imports neither an HTTP library nor an event loop."""
    program = (
        "import sys, heksherlite\n"
        "assert heksherlite.Setting('x', int, ['user'], 1).get(user='a') == 1\n"
        "heavy = {'httpx', 'anyio', 'asyncio', 'ssl', 'trio', 'fastapi', 'sqlalchemy'}\n"
        "print(sorted(heavy.intersection(sys.modules)))\n"
        "import threading\n"
        "print(threading.active_count())\n"
        "heksherlite.AsyncHeksherClient('http://host', 1, ['user'])\n"
        "print('httpx' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (result.stdout.split("\n")[:3], result.stderr) == (["[]", "1", "True"], "")
