"""Completion in a real shell."""

import os
import pty
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.waiting import until

BASH = shutil.which("bash") or ""
FISH = shutil.which("fish") or ""

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


SET_UP = {
    "bash": (
        ["--norc", "-i"],
        """\
eval "$(heksherlite completion bash)"; note() { printf '%s|\\n' "$READLINE_LINE" >> lines; }
bind -x '"\\C-x\\C-n": note'
""",
    ),
    "zsh": (
        ["-f", "-i"],
        """\
autoload -U compinit; compinit -u -D; eval "$(heksherlite completion zsh)"
note() { print -r -- "$BUFFER|" >> lines }; zle -N note; bindkey '^X^N' note
""",
    ),
}
TYPED = {
    "get shop.t": "get shop.title |",
    "settings ren": "settings rename |",
    "get cache_ttl --profile p": "get cache_ttl --profile prod |",
    "set cache_ttl 1 --where env": "set cache_ttl 1 --where environment=|",
    "set cache_ttl 'a b' --where user=john,env": "set cache_ttl 'a b' --where user=john,environment=|",
}
"""What a person types before Tab, and the line after it."""

needs_shell = [
    pytest.param(shell, marks=pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed"))
    for shell in SET_UP
]


@pytest.mark.parametrize("shell", needs_shell)
@pytest.mark.thorough
def test_tab_completes_the_line(shell: str, terminal: Terminal, tmp_path: Path) -> None:
    """On a terminal, Tab completes names, also after a comma or a `=`, and adds no space where a value follows."""
    terminal.run("profile", "add", "prod", terminal.api.url)
    options, script = SET_UP[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **terminal.variables, "PATH": path, "TERM": "dumb", "HISTFILE": ""}
    environment.pop("HEKSHER_TOKEN")
    controller, end = pty.openpty()
    lines = tmp_path / "lines"
    with subprocess.Popen(
        [shell, *options], stdin=end, stdout=end, stderr=end, env=environment, cwd=tmp_path, start_new_session=True
    ) as process:
        os.close(end)
        reader = threading.Thread(target=drain, args=(controller,))
        reader.start()
        try:
            os.write(controller, f"{script}echo > lines\n".encode())
            until(lines.exists)
            lines.write_text("", "utf-8")
            for count, typed in enumerate(TYPED, start=1):
                os.write(controller, f"heksherlite {typed}\t\x18\x0e\x15".encode())
                until(lambda wanted=count: lines.read_text("utf-8").count("\n") >= wanted)  # type: ignore[misc]
        finally:
            process.kill()
    reader.join()
    os.close(controller)
    assert lines.read_text("utf-8").splitlines() == [f"heksherlite {line}" for line in TYPED.values()]


def drain(controller: int) -> None:
    """Read what a terminal shows until it ends."""
    with suppress(OSError):
        while os.read(controller, 10_000):
            pass


@pytest.mark.skipif(not FISH, reason="fish is not installed")
@pytest.mark.thorough
def test_fish_completes_names(terminal: Terminal) -> None:
    """Names come with their types, and conditions may have commas."""
    terminal.run("profile", "add", "prod", terminal.api.url)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **terminal.variables, "PATH": path}
    environment.pop("HEKSHER_TOKEN")
    script = 'heksherlite completion fish | source; for typed in $argv; complete -C "heksherlite $typed"; echo; end'
    typed = ["get shop.", "settings ren", "get cache_ttl --profile p", "set cache_ttl 1 --where user=john,env"]
    result = subprocess.run(
        [FISH, "--no-config", "-c", script, *typed], env=environment, capture_output=True, text=True, check=True
    )
    assert [answer.splitlines() for answer in result.stdout.removesuffix("\n\n").split("\n\n")] == [
        ["shop.open\tbool", "shop.title\tstr"],
        ["rename\tRename the setting NAME."],
        ["prod\t" + terminal.api.url],
        ["user=john,environment="],
    ]
