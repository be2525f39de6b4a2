"""The declared settings by name: heksherlite/engine/declared_settings.py."""

import gc
import random
from collections import defaultdict

from heksherlite import Setting
from heksherlite.engine.declared_settings import DeclaredSettings


def setting(name: str) -> Setting[int]:
    return Setting(name, int, ["user"], 0)


def by(canonical: dict[str, str], settings: list[Setting[int]]) -> dict[str, list[Setting[int]]]:
    by_name = defaultdict(list)
    for each in settings:
        by_name[canonical.get(each.name, each.name)].append(each)
    return by_name


def test_names_and_settings_after_any_changes() -> None:
    """Whatever was added, removed, renamed or forgotten, names and settings are those that are there."""
    choose = random.Random(19)  # noqa: S311 - the same changes each time
    declared = DeclaredSettings()
    settings: list[Setting[int]] = []
    canonical: dict[str, str] = {}
    for _ in range(300):
        name = choose.choice("abcdef")
        match choose.randrange(6):
            case 0 | 1:
                settings.append(setting(name))
                declared.add(settings[-1])
            case 2 if settings:
                assert declared.remove(settings.pop(choose.randrange(len(settings))))
            case 3 if settings:
                del settings[choose.randrange(len(settings))]  # the program drops it
            case 4:
                canonical[name] = choose.choice([name, "x", "y"])
                declared.set_canonical_name(name, canonical[name])
            case 5 if choose.random() < 0.1:
                declared.clear()
                settings.clear()
        assert (len(declared), declared.all()) == (len(settings), settings)
        assert declared.names == tuple(sorted({each.name for each in settings}))
        assert {name: declared.named(name) for name in "abcdefxy" if declared.named(name)} == by(canonical, settings)


def test_an_update_does_not_look_at_each_setting() -> None:
    """The names are the same object as long as the settings are the same, and keep no setting alive."""
    declared = DeclaredSettings()
    settings = [setting("a"), setting("b")]
    declared.add(settings[0])
    declared.add(settings[1])
    names = declared.names
    assert declared.names is names
    assert declared.named("a") == settings[:1]
    del settings[0]
    gc.collect()
    assert (declared.names, declared.named("a"), declared.named("nobody")) == (("b",), None, None)


def test_a_setting_that_was_removed_twice() -> None:
    """Removing a setting that is not there changes nothing."""
    declared = DeclaredSettings()
    a = setting("a")
    declared.add(a)
    assert [declared.remove(a), declared.remove(a), a in declared, declared.names] == [True, False, False, ()]
