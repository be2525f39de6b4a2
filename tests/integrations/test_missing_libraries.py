"""A part of the package whose library is not installed says how to install it."""

import json
import subprocess
import sys

PARTS = {
    "heksherlite.integrations.django": ("django", "django"),
    "heksherlite.integrations.flask": ("flask", "flask"),
    "heksherlite.integrations.graphql": ("gql", "graphql"),
    "heksherlite.integrations.oauth2": ("authlib", "oauth2"),
    "heksherlite.integrations.openfeature": ("openfeature", "openfeature"),
    "heksherlite.integrations.opentelemetry": ("opentelemetry", "opentelemetry"),
    "heksherlite.integrations.prometheus": ("prometheus_client", "prometheus"),
    "heksherlite.service": ("uvicorn", "service"),
}
IMPORT_ALL = """
import json, sys
from importlib import import_module

parts = json.loads(sys.argv[1])
missing = {library for library, _ in parts.values()}

class Nowhere:
    def find_spec(self, name, path, target=None):
        if name in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
for module in parts:
    try:
        import_module(module).embedded
    except ModuleNotFoundError as error:
        print(json.dumps([error.name, str(error)]))
"""


def test_a_missing_library_is_named_with_its_extra() -> None:
    """The message has the command that installs it."""
    command = [sys.executable, "-c", IMPORT_ALL, json.dumps(PARTS)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    for (module, (library, extra)), line in zip(PARTS.items(), printed, strict=True):
        name, message = json.loads(line)
        assert name == library
        assert message.startswith(f"{module} needs ")
        assert message.endswith(f": pip install 'heksherlite[{extra}]'")
