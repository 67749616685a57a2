"""Both tools on the same arguments: `blockops img` in this process, the real qemu-img in its own."""

import contextlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import attrs

from proposals.cli import main


@attrs.frozen
class Ended:
    """How a tool ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


def ours(*arguments: object) -> Ended:
    """Run `blockops img` in the working folder."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["img", *map(str, arguments)])
    ended = Ended(code, out.getvalue(), err.getvalue())
    assert "Traceback" not in ended.err, ended.err
    assert "internal error" not in ended.err, ended.err
    return ended


def run(program: str, *arguments: object) -> Ended:
    """Run a real program in the working folder."""
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def done(program: str, *arguments: object) -> str:
    """Run a real program that must succeed; return what it printed."""
    ended = run(program, *arguments)
    assert ended.code == 0, (arguments, ended)
    return ended.out


def refused(ended: Ended, code: int, *culprits: object) -> None:
    """Assert that our tool ended with *code*, one sentence that names each culprit, and nothing printed."""
    assert ended.code == code, ended
    (sentence,) = ended.err.splitlines()
    assert sentence.startswith("blockops: "), sentence
    for culprit in culprits:
        assert str(culprit) in sentence
    assert ended.out == ""


def content(program: str, path: Path | str) -> bytes:
    """Return what the real qemu-img reads from an image and its chain."""
    target = Path(f"{path}.content")
    done(program, "convert", "-O", "raw", path, target)
    data = target.read_bytes()
    target.unlink()
    return data
