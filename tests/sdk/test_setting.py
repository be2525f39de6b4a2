import copy
import dataclasses
import gc
import pickle
import weakref
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, copy_context
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from heksherlite import MissingContextError, Rule, Setting, SyncStubHeksherClient, setting_type
from heksherlite.values.read_only import ReadOnlyDict
from tests.sdk.conftest import Connect, Log
from tests.service.api import FEATURES, Api


def test_name_type_features_and_default_are_required() -> None:
    """All other parameters have defaults, which the declaration contains."""
    setting = Setting("cache_ttl", int, ["environment", "user"], 60)
    assert setting.to_v1_declaration_body() == {
        "name": "cache_ttl",
        "configurable_features": ["environment", "user"],
        "type": "int",
        "default_value": 60,
        "metadata": {},
        "alias": None,
        "version": "1.0",
    }


def test_a_declaration_holds_every_parameter() -> None:
    """The body of the declaration contains the parameters unchanged."""
    setting = Setting("b", str, ("theme", "user"), "w", metadata={"a": [1]}, alias="old.b", version="2.11")
    assert setting.to_v1_declaration_body() == {
        "name": "b",
        "configurable_features": ["theme", "user"],
        "type": "str",
        "default_value": "w",
        "metadata": {"a": [1]},
        "alias": "old.b",
        "version": "2.11",
    }


def test_every_parameter_may_be_positional() -> None:
    """The parameters have the original's order: metadata, alias, version, on_coerce."""
    setting = Setting("x", int, ["user"], 1, {"a": 1}, "y", "1.2", None)
    assert (setting.metadata, setting.alias, setting.version, setting.on_coerce) == ({"a": 1}, "y", "1.2", None)


def test_configurable_feature_is_accepted() -> None:
    """``configurable_feature`` is an alternative spelling of ``configurable_features``."""
    setting = Setting(name="cache_ttl", type=int, configurable_feature=["environment", "user"], default_value=60)
    assert setting.configurable_features == ("environment", "user")


def test_a_plain_string_counts_as_its_characters() -> None:
    """``configurable_features`` is an iterable of names, and any iterable will do."""
    assert Setting("x", int, "ab", 1).configurable_features == ("a", "b")
    assert Setting("x", int, iter(["user"]), 1).configurable_features == ("user",)


@pytest.mark.parametrize("version", ["1", "1.", ".1", "1.0.0", "v1.0", "1.0\n", "", "-1.0"])
def test_malformed_versions_are_refused(version: str) -> None:
    """A version that is not MAJOR.MINOR raises ValueError with the name of the setting."""
    with pytest.raises(ValueError, match=r"'x'.*version"):
        Setting("x", int, ["user"], 1, version=version)


def test_missing_arguments_are_named() -> None:
    """A setting without features or default is refused with an error that names the setting."""
    with pytest.raises(ValueError, match=r"'x'.*configurable_features"):
        Setting("x", int, [], 1)
    with pytest.raises(TypeError, match=r"'x'.*default_value"):
        Setting("x", int, ["user"])  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("name", ["", "a b", "a-b", "ä", "a\n", "a" * 1001, "a/b", "a:b"])
def test_invalid_names_are_refused(name: str) -> None:
    """A name or an alias that the service would refuse raises a ValueError that contains it."""
    with pytest.raises(ValueError, match="not a valid name"):
        Setting(name, int, ["user"], 1)
    with pytest.raises(ValueError, match="not a valid alias"):
        Setting("x", int, ["user"], 1, alias=name)


def test_an_alias_must_differ_from_the_name() -> None:
    """The service refuses a setting that is its own alias, so it is refused where it is written."""
    with pytest.raises(ValueError, match="'x' has its own name as alias"):
        Setting("x", int, ["user"], 1, alias="x")


@pytest.mark.parametrize("key", ["", "a b", "a.b", "ä", 5, None])
def test_invalid_metadata_keys_are_refused(key: Any) -> None:
    """A key of the metadata that the service would refuse raises a ValueError that contains it."""
    with pytest.raises(ValueError, match=rf"'x' has the metadata key {key!r}"):
        Setting("x", int, ["user"], 1, metadata={key: 1})


def test_metadata_must_be_a_mapping() -> None:
    """Metadata that is not a mapping raises a TypeError."""
    metadata: Any = [("a", 1)]
    with pytest.raises(TypeError, match="metadata of setting 'x' must be a mapping"):
        Setting("x", int, ["user"], 1, metadata=metadata)


@pytest.mark.parametrize("wrong", [5, None, b"x", ["x"]])
def test_names_and_versions_must_be_strings(wrong: Any) -> None:
    """A name or a version that is not a string raises a TypeError that contains it."""
    with pytest.raises(TypeError, match="must be a string"):
        Setting(wrong, int, ["user"], 1)
    with pytest.raises(TypeError, match=r"version of setting 'x' must be a string, such as '1\.0'"):
        Setting("x", int, ["user"], 1, version=wrong)


@pytest.mark.parametrize(
    ("features", "hint"),
    [
        ("environment", r"write \['environment'\]"),
        ("environment;user", "write"),
        ("us er", r"write a list, such as \['us', 'er'\]"),
        (["user", ""], "'' among"),
        (["us er"], "'us er' among"),
        (["user\n"], "among"),
    ],
)
def test_invalid_features_are_refused(features: Any, hint: str) -> None:
    """Features that the service would refuse, or one feature as a string, raise a ValueError that shows a remedy."""
    with pytest.raises(ValueError, match=rf"'x'.*{hint}"):
        Setting("x", int, features, 1)


@pytest.mark.parametrize("features", [5, [5], [None], ["user", 5]])
def test_features_must_be_strings(features: Any) -> None:
    """Anything but an iterable of strings raises a TypeError that names the setting."""
    with pytest.raises(TypeError, match="'x'"):
        Setting("x", int, features, 1)


WRONG_DEFAULTS: list[tuple[Any, Any]] = [
    (int, "1"),
    (int, None),
    (int, 1.5),
    (int, True),
    (int, 2**64),
    (float, "1"),
    (float, float("nan")),
    (str, 1),
    (str, "\ud800"),
    (bool, 1),
    (Sequence[str], [1]),
    (Sequence[str], "abc"),
    (Sequence[int], {1}),
    (Sequence[float], [1.0, float("inf")]),
    (Mapping[str, int], {"a": "1"}),
    (Mapping[str, int], {1: 1}),
    (Mapping[str, Sequence[int]], {"a": [None]}),
]


@pytest.mark.parametrize(("type_", "default"), WRONG_DEFAULTS, ids=repr)
def test_defaults_of_another_type_are_refused(type_: Any, default: Any) -> None:
    """A default that the service would refuse or change raises a TypeError that names the setting and its type."""
    with pytest.raises(TypeError, match=r"default_value .* of setting 'x' is not of its type, "):
        Setting("x", type_, ["user"], default)


@pytest.mark.parametrize("type_", [bytes, Mapping[int, int], 3])
def test_a_type_that_is_refused(type_: Any) -> None:
    """The error names the setting."""
    with pytest.raises((TypeError, RuntimeError), match=r"^setting 'x': "):
        Setting("x", type_, ["user"], None)


def test_a_wrong_value_is_shortened() -> None:
    """A value may be as long as a book."""
    for type_ in (int, str, Decimal):
        with pytest.raises(TypeError) as raised:
            setting_type(type_).convert_from_heksher(["x"] * 10_000)
        assert len(str(raised.value)) < 100


def test_defaults_are_converted_like_values_of_the_service(service: Api, connect: Connect) -> None:
    """A default has the same types before and after the first load, and does not change with the program's own list."""
    given: dict[str, list[float]] = {"a": [1]}
    setting = Setting("x", Mapping[str, Sequence[float]], ["user"], given)
    before = setting.get(user="a")
    given["a"].append(2)
    given["b"] = []
    connect(service.url)
    after = setting.get(user="a")
    for value in (before, after):
        assert (value, type(value), type(value["a"]), type(value["a"][0])) == ({"a": (1,)}, ReadOnlyDict, tuple, float)


def test_a_validator_with_another_signature_is_refused() -> None:
    """A validator that cannot be called with value, rule and setting raises a TypeError that says so."""
    setting = Setting("x", int, ["user"], 1)
    wrong: list[Any] = [lambda value: value, divmod, validate_later, 5]
    for validator in wrong:
        with pytest.raises(TypeError, match="validator of setting 'x'"):
            setting.add_validator(validator)
    right: list[Any] = [lambda *arguments: arguments[0], lambda value, *_, more=1: value + more, max]
    for validator in right:
        assert setting.add_validator(validator) is validator


async def validate_later(value: int, rule: Any, setting: Any) -> int:
    """Return the value too late."""
    del rule, setting
    return value


def test_on_coerce_with_another_signature_is_refused() -> None:
    """A function that cannot be called with the five arguments of on_coerce raises a TypeError that says so."""
    with pytest.raises(TypeError, match=r"on_coerce of setting 'x' is called with \(value, raw_value, coercions"):
        Setting("x", int, ["user"], 1, on_coerce=divmod)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_get_before_there_is_a_main_client_is_the_default(log: Log) -> None:
    """Before there is a main client, get returns the default with or without features, and logs this at INFO."""
    setting = Setting("x", int, ["environment", "user"], 7)
    assert setting.get() == setting.get(user="a") == setting.get(user="a", environment="b") == 7
    record = log.one("the value of setting was never retrieved from service")
    assert (record["levelname"], record["setting"]) == ("INFO", "x")


def test_unknown_features_are_named_even_before_there_is_a_client() -> None:
    """Features that are not configurable raise a ValueError that names them."""
    setting = Setting("x", int, ["user"], 7)
    with pytest.raises(ValueError, match=r"'x'.*'theme', 'trust'"):
        setting.get(user="a", trust="b", theme="c")


def test_unknown_features_are_named(stub: SyncStubHeksherClient) -> None:
    """With a main client, features that are not configurable raise ValueError even if the client has their default."""
    setting = Setting("x", int, ["user"], 7)
    stub.set_defaults(theme="dark")
    for read in (setting.get, setting.explain):
        with pytest.raises(ValueError, match="'theme'"):
            read(user="a", theme="dark")


def test_missing_features_are_named(service: Api, connect: Connect) -> None:
    """A feature with neither argument nor default raises a RuntimeError that names the feature and the setting."""
    setting = Setting("cache_ttl", int, FEATURES, 60)
    connect(service.url, environment="dev")
    with pytest.raises(RuntimeError, match=r"'cache_ttl'.*'user', 'theme'") as caught:
        setting.get()
    assert isinstance(caught.value, MissingContextError)
    assert (caught.value.setting, caught.value.features) == ("cache_ttl", ("user", "theme"))
    assert setting.get(user="a", theme="b") == 60


def test_missing_features_are_an_error_before_rules_are_loaded(connect: Connect) -> None:
    """Once there is a main client, a missing feature raises an error even if the service was never reached."""
    earlier = Setting("earlier", int, ["environment", "user"], 60)
    connect("http://127.0.0.1:9", environment="dev")
    later = Setting("later", int, ["environment", "user"], 61)
    for setting in (earlier, later):
        with pytest.raises(RuntimeError, match="'user'"):
            setting.get()
    assert (earlier.get(user="a"), later.get(user="a")) == (60, 61)


def test_without_matching_rule_the_default_is_returned(service: Api, connect: Connect) -> None:
    """A loaded setting without a matching rule returns its default."""
    setting = Setting("x", int, ["user"], 7)
    connect(service.url)
    assert setting.get(user="a") == 7


@pytest.mark.parametrize(
    ("type_", "local", "remote"), [(int, 7, 0), (str, "x", ""), (bool, True, False), (float, 1.5, 0.0)]
)
def test_a_falsy_default_of_the_service_is_used(
    service: Api, connect: Connect, type_: Any, local: Any, remote: Any
) -> None:
    """If no rule matches, the default of the service is returned, even if it is falsy."""
    names = {int: "int", str: "str", bool: "bool", float: "float"}
    service.declare("x", type=names[type_], configurable_features=["user"], default_value=local)
    service.declare("x", type=names[type_], configurable_features=["user"], default_value=remote, version="1.1")
    setting: Setting[Any] = Setting("x", type_, ["user"], local)
    connect(service.url)
    assert setting.get(user="a") == remote


def test_a_falsy_rule_value_is_used(service: Api, connect: Connect) -> None:
    """A rule with a falsy value wins over a truthy default."""
    setting = Setting("x", int, ["user"], 7)
    client = connect(service.url)
    service.add_rule(0, "x", user="a")
    client.reload()
    assert (setting.get(user="a"), setting.get(user="b")) == (0, 7)


def test_explicit_arguments_win_over_defaults(stub: SyncStubHeksherClient) -> None:
    """An argument of get takes precedence over a constant and a context variable."""
    variable: ContextVar[str] = ContextVar("variable")
    setting = Setting("x", str, ["environment", "user"], "none")
    stub[setting].rules = [Rule({"environment": e, "user": u}, e + u) for e in "ab" for u in "cd"]
    stub.set_defaults(environment="a", user=variable)
    variable.set("c")
    assert (setting.get(), setting.get(environment="b"), setting.get(user="d")) == ("ac", "bc", "ad")


def test_context_variables_are_read_at_call_time(stub: SyncStubHeksherClient) -> None:
    """Each get reads the variable in its own context. An unset variable counts as missing."""
    variable: ContextVar[str] = ContextVar("variable")
    setting = Setting("x", str, ["user"], "none")
    stub[setting].rules = [Rule({"user": name}, name.upper()) for name in "ab"]
    stub.set_defaults(user=variable)

    def get_as(user: str) -> str:
        variable.set(user)
        return setting.get()

    assert [copy_context().run(get_as, user) for user in "abcab"] == ["A", "B", "none", "A", "B"]
    with pytest.raises(RuntimeError, match="'user'"):
        setting.get()
    assert setting.get(user="a") == "A"


def test_the_default_of_a_context_variable_is_used(stub: SyncStubHeksherClient) -> None:
    """An unset variable with a default of its own is not missing."""
    variable: ContextVar[str] = ContextVar("variable", default="b")
    setting = Setting("x", str, ["user"], "none")
    stub[setting].rules = [Rule({"user": name}, name.upper()) for name in "ab"]
    stub.set_defaults(user=variable)
    assert setting.get() == "B"
    variable.set("a")
    assert setting.get() == "A"


ODD_NAMES = ["class", "None", "self", "_self", "_others", "_lookup", "NO_VALUE", "LookupError", "1st", "7", "__debug__"]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("others", [(), ("user",)], ids=["alone", "with another"])
def test_features_may_have_any_name(stub: SyncStubHeksherClient, name: str, others: tuple[str, ...]) -> None:
    """A context feature may be a keyword, start with a digit, or be a name that Setting uses internally."""
    variable: ContextVar[str] = ContextVar("variable")
    setting = Setting("x", int, [name, *others], 0)
    stub[setting].rules = [Rule({name: "a"}, 1)]
    rest = dict.fromkeys(others, "z")
    assert (setting.get(**{name: "a"}, **rest), setting.get(**{name: "b"}, **rest)) == (1, 0)
    assert setting.explain(**{name: "a"}, **rest).value == 1
    with pytest.raises(RuntimeError, match=name):
        setting.get(**rest)
    stub.set_defaults(**{name: variable})
    with pytest.raises(RuntimeError, match=name):
        setting.get(**rest)
    variable.set("a")
    assert setting.get(**rest) == setting.explain(**rest).value == 1
    assert setting.get(**{name: "b"}, **rest) == 0
    with pytest.raises(ValueError, match="'theme'"):
        setting.get(**{name: "a"}, **rest, theme="z")


def test_a_stored_get_follows_updates(service: Api, connect: Connect) -> None:
    """A reference to get from before there was a client returns the same as a new one."""
    setting = Setting("x", int, ["user"], 7)
    stored = setting.get
    assert stored(user="a") == 7
    client = connect(service.url)
    service.add_rule(8, "x", user="a")
    client.reload()
    assert stored(user="a") == 8
    with pytest.raises(RuntimeError):
        stored()
    client.set_defaults(user="a")
    assert stored() == 8


def test_a_stored_get_follows_defaults(stub: SyncStubHeksherClient) -> None:
    """References to get from before and after a context variable became a default behave the same."""
    variable: ContextVar[str] = ContextVar("variable", default="a")
    setting = Setting("x", int, ["user"], 0)
    before = setting.get
    stub[setting].rules = [Rule({"user": "a"}, 1), Rule({"user": "b"}, 2)]
    stub.set_defaults(user=variable)
    after = setting.get
    assert (before(), after()) == (1, 1)
    variable.set("b")
    assert (before(), after()) == (2, 2)
    with SyncStubHeksherClient() as other:
        other.set_defaults(user="a")
        other[setting].rules = [Rule({"user": "a"}, 3)]
        assert (before(), after(), setting.get()) == (3, 3, 3)


def test_subclasses_work(stub: SyncStubHeksherClient) -> None:
    """A subclass keeps its class and its own get, which may call the original one."""

    class Named(Setting[int]):
        pass

    class Doubled(Setting[int]):
        def get(self, /, **contexts: Any) -> int:
            return 2 * super().get(**contexts)

    named, doubled = Named("x", int, ["user"], 1), Doubled("y", int, ["user"], 1)
    for setting in (named, doubled):
        stub[setting].rules = [Rule({"user": "a"}, 5)]
    assert (named.get(user="a"), doubled.get(user="a"), doubled.get(user="b")) == (5, 10, 2)
    assert (isinstance(named, Named), isinstance(doubled, Doubled), type(named).__name__) == (True, True, "Named")


def test_settings_can_be_parametrised(stub: SyncStubHeksherClient) -> None:
    """Setting[int](...) creates a setting like Setting(...)."""
    setting = Setting[int]("x", int, ["user"], 1)
    stub[setting].rules = 2
    assert setting.get(user="a") == 2


def test_a_copy_of_a_setting_is_the_setting() -> None:
    """Copies, also inside of other objects, are the setting itself, so that they follow updates."""
    setting = Setting("x", int, ["user"], 1)
    assert copy.copy(setting) is setting
    assert copy.deepcopy({"setting": [setting]})["setting"][0] is setting
    assert dataclasses.asdict(Holder(setting))["setting"] is setting


@dataclasses.dataclass
class Holder:
    """Has a setting."""

    setting: Setting[int]


def test_settings_are_pickled_by_name(stub: SyncStubHeksherClient) -> None:
    """A pickled setting is the setting with this name in the process that reads it, whatever its client does."""
    variable: ContextVar[str] = ContextVar("variable", default="a")
    setting = Setting("x", int, ["user"], 1)
    stub.set_defaults(user=variable)
    pickled = pickle.dumps(setting)
    assert pickle.loads(pickled) is setting  # noqa: S301
    del setting
    gc.collect()
    with pytest.raises(LookupError, match=r"'x'.*import the module"):
        pickle.loads(pickled)  # noqa: S301


def test_a_setting_is_not_pickled_as_another_one_with_its_name() -> None:
    """Of two settings with the same name, only the newer one can be pickled."""
    older, newer = (Setting("x", int, ["user"], default) for default in (1, 2))
    with pytest.raises(TypeError, match=r"'x'.*newer"):
        pickle.dumps(older)
    assert pickle.loads(pickle.dumps(newer)) is newer  # noqa: S301


def test_replacing_a_method_mentions_stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that replaces get, or another method, learns from the error how to use a stub."""
    setting = Setting("x", int, ["user"], 1)
    with pytest.raises(AttributeError, match=r"'get' of setting 'x'.*SyncStubHeksherClient"):
        monkeypatch.setattr(setting, "get", lambda **_: 2)
    with (
        pytest.raises(AttributeError, match=r"'explain'.*SyncStubHeksherClient"),
        mock.patch.object(setting, "explain"),
    ):
        pass
    assert setting.get() == 1


def test_settings_are_compared_by_identity() -> None:
    """Two settings with the same name are different, and both can be keys of a dict."""
    settings = [Setting("x", int, ["user"], 1) for _ in range(2)]
    assert len(set(settings)) == 2
    assert "x" in repr(settings[0])


def test_a_collected_setting_is_not_declared(service: Api, connect: Connect) -> None:
    """A setting that was garbage-collected before there was a main client is not declared."""
    kept = Setting("kept", int, ["user"], 1)
    gone = Setting("gone", int, ["user"], 1)
    reference = weakref.ref(gone)
    del gone
    gc.collect()
    assert reference() is None
    connect(service.url)
    assert [setting["name"] for setting in service.get("settings").json()["settings"]] == [kept.name]


def test_a_client_does_not_keep_settings_alive(service: Api, connect: Connect) -> None:
    """A loaded setting can be garbage-collected. The client no longer queries it."""
    setting = Setting("gone", int, ["user"], 1)
    kept = Setting("kept", int, ["user"], 1)
    client = connect(service.url)
    client.reload()
    assert client._engine.registry.declared_names == ("gone", "kept")
    reference = weakref.ref(setting)
    del setting
    gc.collect()
    assert reference() is None
    assert client._engine.registry.settings == [kept]
    assert [*client._engine.registry.declared_names] == ["kept"]
    added = Setting("added", int, ["user"], 1)
    client.reload()
    assert [*client._engine.registry.declared_names] == [added.name, "kept"]
    service.call("DELETE", "settings/gone")
    client.reload()
    assert "gone" not in [item["name"] for item in service.get("settings").json()["settings"]]


@pytest.mark.parametrize("value", [float("nan"), 2**64, "\ud800", {"a": [float("inf")]}])
def test_metadata_that_cannot_be_sent(value: Any) -> None:
    """It is refused where it is written, and is not declared as null."""
    with pytest.raises(ValueError, match="the metadata 'limit' of setting 'x' cannot be sent: "):
        Setting("x", int, ["user"], 1, metadata={"limit": value})
