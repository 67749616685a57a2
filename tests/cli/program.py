"""How the tests of the command line run it: as a process of its own, real or with a pretending lab."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REAL = (sys.executable, "-m", "proposals")
PRETEND = (sys.executable, str(Path(__file__).with_name("pretend.py")))
FORMS = ("report.html", "report.json", "report.md")
REPORT = (*FORMS, "results.sqlite")

Done = subprocess.CompletedProcess[str]


def environment() -> dict[str, str]:
    """The environment of the program: no colours forced, no size but the terminal's."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def run(*arguments: object, program: tuple[str, ...] = REAL, **more: Any) -> Done:
    """Run the program to its end."""
    command = [*program, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), timeout=600, **more
    )


@contextmanager
def begun(*command: str, **more: Any) -> "Iterator[subprocess.Popen[str]]":
    """Begin a program whose output is read; with the block it is dead, and whatever it has begun."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    how: dict[str, Any] = {"env": environment(), **pipes, **more}
    with subprocess.Popen(command, text=True, start_new_session=True, **how) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def pretend(*arguments: object, **more: Any) -> Done:
    """Run the program with a lab that only pretends."""
    return run(*arguments, program=PRETEND, **more)


def assert_refused(done: Done, code: int, *culprits: object) -> None:
    """Assert that the program ended with *code* and one sentence that names every one of *culprits*."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("blockops: ")
    for culprit in culprits:
        assert str(culprit) in sentence


def files_in(folder: Path) -> list[str]:
    """The names in *folder*, sorted, hidden ones included."""
    return sorted(path.name for path in folder.iterdir())


def visible(text: str) -> str:
    """*text* without the escape sequences of a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", text)
