"""What the real tools do with an image, for tests that let them judge ours."""

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from blockops.host.posix import PosixFolder
from blockops.qcow2.check import check
from blockops.qcow2.image import Qcow2Image

Tool = Callable[[str], str]


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(real_tool: Tool, path: Path, *options: str) -> bytes:
    """Return what the real tool reads from an image and its chain."""
    raw = path.with_suffix(".read")
    run(real_tool("qemu-img"), "convert", "-O", "raw", *options, path, raw)
    return raw.read_bytes()


def agree(real_tool: Tool, path: Path) -> None:
    """Assert that the image is clean in the real tool's eyes and ours, and equal in the numbers."""
    found = json.loads(run(real_tool("qemu-img"), "check", "--output=json", path))
    file = PosixFolder(str(path.parent)).open(path.name, writable=False)
    report = check(file)
    file.close()
    assert (report.unsupported, report.corruptions, report.leaks) == (None, (), ())
    assert report.allocated_clusters == found.get("allocated-clusters", 0)
    assert report.total_clusters == found.get("total-clusters", 0)
    assert report.image_end_offset == found["image-end-offset"]


def opened(path: Path, *, writable: bool = False, backing: Qcow2Image | None = None) -> Qcow2Image:
    file = PosixFolder(str(path.parent)).open(path.name, writable=writable)
    return Qcow2Image.open(file, writable=writable, backing=backing)


def mixed(size: int, seed: int) -> bytes:
    """Return bytes of which some compress well, some badly and some not at all."""
    chance = random.Random(seed)
    parts: list[bytes] = []
    while sum(len(part) for part in parts) < size:
        length = chance.choice((100, 3000, 40_000, 70_000))
        kind = chance.randrange(4)
        if kind == 0:
            parts.append(chance.randbytes(length))
        elif kind == 1:
            parts.append(bytes([chance.randrange(256)]) * length)
        elif kind == 2:
            parts.append(bytes(length))
        else:
            parts.append(bytes(chance.choices(b"abcd", k=length)))
    return b"".join(parts)[:size]
