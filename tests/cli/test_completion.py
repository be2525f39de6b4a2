"""Completion in a real shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

BASH = shutil.which("bash") or ""

SCRIPT = """\
eval "$(heksherlite completion bash)"
COMP_WORDS=(heksherlite {words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_heksherlite_completion heksherlite
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(terminal: Terminal, words: str, **variables: str) -> list[str]:
    """Return what bash proposes for the last word."""
    folder = Path(sys.executable).parent
    environment = {**os.environ, **terminal.variables, "PATH": f"{folder}:{os.environ['PATH']}", **variables}
    script = SCRIPT.format(words=words)
    result = subprocess.run(
        [BASH, "--norc", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in result.stderr
    return result.stdout.split()


@pytest.mark.skipif(not BASH, reason="bash is not installed")
@pytest.mark.thorough
def test_bash_completes_names(terminal: Terminal) -> None:
    """Commands, options, settings, context features and profiles are proposed; without a service there are no names."""
    terminal.run("profile", "add", "prod", terminal.api.url)
    assert completed(terminal, "get shop.") == ["shop.open", "shop.title"]
    assert completed(terminal, "set cache_ttl 1 --where env") == ["environment="]
    assert completed(terminal, "get cache_ttl --profile p") == ["prod"]
    assert completed(terminal, "settings ren") == ["rename"]
    assert completed(terminal, "get shop.", HEKSHER_URL="http://127.0.0.1:9") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell: str, terminal: Terminal) -> None:
    """The script asks the command for proposals."""
    assert f"_HEKSHERLITE_COMPLETE={shell}_complete" in terminal.run("completion", shell)
