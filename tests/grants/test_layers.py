"""Where facts are from: layers, explanations and secrets."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import FaktsError, GroupNotFound
from heksherlite.grants import (
    CacheGrant,
    EnvGrant,
    FailsafeGrant,
    Fakts,
    HardGrant,
    JsonGrant,
    Layer,
    LayeredFacts,
    LoadRequest,
    ParallelGrant,
    TomlGrant,
    YamlGrant,
)
from heksherlite.grants.facts import MISSING, merge, value_at
from heksherlite.grants.formats import json_lines, toml_lines, yaml_lines
from tests.grants.test_facts import FACTS, leaves


def layered(*facts: Any, **options: Any) -> Fakts[Any]:
    """Return a loader that has loaded layers named 0, 1 and so on."""

    async def grant(_: LoadRequest) -> LayeredFacts:
        return LayeredFacts(Layer(source=str(number), facts=layer) for number, layer in enumerate(facts))

    fakts = Fakts(grant, **options)
    fakts.load()
    return fakts


@given(st.lists(FACTS, max_size=4))
def test_explanations_agree_with_get(layers: Any) -> None:
    """The value in force at each explained path is what get returns, and has the source that a model finds."""
    fakts = layered(*layers)
    explained = fakts.explain()
    merged = merge(*layers)
    in_force = {path: values[0] for path, values in explained.values.items() if values[0].is_in_force}
    assert {path: value.value for path, value in in_force.items()} == {
        ".".join(keys): value for keys, value in leaves(merged).items()
    }
    for keys, value in leaves(merged).items():
        model = max(number for number, layer in enumerate(layers) if value_at(layer, keys) is not MISSING)
        assert in_force[".".join(keys)].source == str(model)
        assert fakts.get(".".join(keys)) == value
        assert fakts.explain(".".join(keys)).values[".".join(keys)] == explained.values[".".join(keys)]


@given(st.lists(FACTS, max_size=4))
def test_every_layer_that_has_a_value_is_explained(layers: Any) -> None:
    """No value of any layer is left out of the explanation, the overridden ones included."""
    explained = layered(*layers).explain()
    for number, layer in enumerate(layers):
        for keys, value in leaves(layer).items():
            found = [had.value for had in explained.values.get(".".join(keys), ()) if had.source == str(number)]
            assert found == [value] or value == {}


PATH = "database.pool.size"

FILES: list[tuple[Any, str, str]] = [
    (YamlGrant, "# comment\ndatabase:\n  host: localhost\n  pool:\n    size: 4\n", PATH),
    (TomlGrant, '# comment\n[database]\nhost = "localhost"\n\npool.size = 4\n', PATH),
    (TomlGrant, '[database]\nnote = """\nsize = 3\n"""\n[database.pool]\nsize = 4\n', PATH),
    (
        JsonGrant,
        '{"database": {\n"host": "size",\n"list": [{"size":\n1}], "pool":\n{"size": 4}}}',
        "database.pool.size",
    ),
]


@pytest.mark.parametrize(("grant", "text", "path"), FILES)
def test_lines_of_files(grant: Any, text: str, path: str, tmp_path: Path) -> None:
    """The explanation of a value from a file names the file and the line."""
    file = tmp_path / "config"
    file.write_text(text)
    fakts = Fakts(grant(file))
    assert fakts.get(path) == 4
    line = text.split("\n").index(next(line for line in text.split("\n") if "size" in line and "4" in line)) + 1
    (value,) = fakts.explain(path).values[path]
    assert value.source == f"{file}, line {line}"


@given(FACTS, st.sampled_from([None, 0, 2]))
def test_lines_of_any_json_and_yaml(facts: Any, indent: int | None) -> None:
    """In any file, each key of each mapping has a line, which contains it."""
    paths = {keys[:length] for keys in leaves(facts) for length in range(1, len(keys) + 1)}
    for text, find in (
        (json.dumps(facts, indent=indent), json_lines),
        (yaml.safe_dump(facts, default_flow_style=indent is None), yaml_lines),
    ):
        found = find(text)
        assert found.keys() == paths
        lines = text.split("\n")
        assert all(keys[-1] in lines[line - 1] for keys, line in found.items())


def test_lines_of_toml() -> None:
    """Tables, dotted keys, inline tables and texts of several lines have the lines of their statements."""
    text = 'a = """\nb = 1\n"""\n\n[c.d]\n# e\nf.g = [\n 1,\n]\n[[h]]\ni = {j = 1}\n'
    assert tomllib.loads(text)
    assert toml_lines(text) == {
        ("a",): 1,
        ("c",): 5,
        ("c", "d"): 5,
        ("c", "d", "f"): 7,
        ("c", "d", "f", "g"): 7,
        ("h",): 10,
        ("h", "i"): 11,
        ("h", "i", "j"): 11,
    }


def test_environment_over_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An explanation names the variable that wins and the line that it overrides."""
    file = tmp_path / "config.yaml"
    file.write_text("database:\n  host: localhost\n  password: hunter2\n")
    monkeypatch.setenv("FAKTS_DATABASE__HOST", "db.example.com")
    fakts = Fakts(ParallelGrant([YamlGrant(file), EnvGrant()]), hard_fakts={"database": {"port": 1}})
    fakts.load()
    assert str(fakts.explain("database")) == (
        "database.host\n"
        "  -> 'db.example.com'         environment variable FAKTS_DATABASE__HOST\n"
        f"     'localhost'              {file}, line 2\n"
        "database.password\n"
        f"  -> ********                 {file}, line 3\n"
        "database.port\n"
        "  -> 1                        hard_fakts"
    )


def test_explanations_without_facts() -> None:
    """Facts that are not loaded cannot be explained, and a path that no source has does not exist."""
    fakts = Fakts(HardGrant({"a": {"b": 1}}))
    with pytest.raises(FaktsError, match=r"call load\(\) or aload\(\)"):
        fakts.explain("a")
    fakts.load()
    with pytest.raises(GroupNotFound, match=r"no 'a\.c'"):
        fakts.explain("a.c")


def test_groups_and_values_that_override_each_other() -> None:
    """A value that a later layer makes a group, or a group that it makes a value, is explained as not in force."""
    text = str(layered({"a": {"b": 1}}, {"a": 2}).explain("a"))
    assert "-> 2" in text
    assert "a.b\n     1" in text
    assert "none is in force" in text
    assert "none is in force" in str(layered({"a": 1}, {"a": {"b": 2}}).explain("a"))


def test_keys_with_dots() -> None:
    """A key that contains a dot is explained like any other."""
    assert layered({"a.b": 1}).explain("a.b").values["a.b"][0].value == 1


def test_grants_keep_the_layers(tmp_path: Path) -> None:
    """Grants that combine others pass their layers on, and a grant that changes facts is the source of all of them."""
    inner = YamlGrant(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("a: {b: 1}")
    source = f"{tmp_path}/config.yaml, line 1"

    async def changing(request: LoadRequest) -> Any:
        facts = await inner.aload(request)
        facts["c"] = 2
        return facts

    for grant in (ParallelGrant([inner]), FailsafeGrant([inner])):
        fakts = Fakts(grant)
        fakts.load()
        assert fakts.explain("a").values["a.b"][0].source == source
    fakts = Fakts(changing)
    assert fakts.load() == {"a": {"b": 1}, "c": 2}
    assert "changing" in fakts.explain("c").values["c"][0].source


SECRETS: Any = {
    "database": {"password": "hunter2", "url": "postgres://me:hunter2@db/x", "host": "db"},
    "oauth2": {"client_secret": "hunter2", "token_url": "https://id/token", "apiKey": "hunter2"},
    "credentials": {"name": "hunter2", "all": ["hunter2"]},
    "told": "hunter2",
}


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Printed facts and explanations show no value that is secret by its name, by its form or by its source."""

    async def grant(_: LoadRequest) -> LayeredFacts:
        return LayeredFacts(
            [
                Layer(source="below", facts={"told": {"deep": "hunter2"}, "database": {"url": "a://b:hunter2@c"}}),
                Layer(source="top", facts=SECRETS, secrets=frozenset({("told",)})),
            ]
        )

    cached = CacheGrant(grant, cache_file=tmp_path / "cache")
    for fakts in (Fakts(grant), Fakts(cached), Fakts(cached)):
        facts = fakts.get()
        assert facts == SECRETS
        for text in (repr(facts), str(facts), str(fakts.explain()), repr(fakts.explain()), repr(fakts)):
            assert "hunter2" not in text
        assert "'host': 'db'" in repr(facts)
        assert "'token_url': 'https://id/token'" in repr(facts)


def test_secret_texts_are_strings() -> None:
    """A secret text can be used, formatted, compared and encoded like any other."""
    text = layered(SECRETS).get("told", into=str)
    assert text == f"{text}" == str(text) == "hunter2"
    assert json.dumps(text) == '"hunter2"'
