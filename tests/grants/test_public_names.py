import inspect

import pytest

from heksherlite import grants


def test_names_are_sorted_and_listed() -> None:
    """__all__ is sorted, classes before functions, without duplicates, and dir() contains it."""
    assert sorted(set(grants.__all__), key=lambda name: (not name[0].isupper(), name)) == grants.__all__
    assert set(grants.__all__) <= set(dir(grants))


@pytest.mark.parametrize("name", grants.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Every public class, function and method has a docstring."""
    thing = getattr(grants, name)
    assert inspect.getdoc(thing)
    for member in vars(thing).values():
        if inspect.isfunction(member) and not member.__name__.startswith("_"):
            assert inspect.getdoc(member), f"{name}.{member.__name__} has no docstring"


def test_unknown_names() -> None:
    """An unknown name is an AttributeError that contains it."""
    with pytest.raises(AttributeError, match="'Grants'"):
        _ = grants.Grants
