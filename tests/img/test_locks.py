"""Images that a QEMU process uses are left alone, and QEMU leaves alone those that we use."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.opening import open_chain
from tests.img.corpus import CREATE, Recipe
from tests.img.tools import ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")


@contextmanager
def opened_by_qemu(program: str, *options: str) -> Iterator[None]:
    """Let the real qemu-io have `image` open for as long as the block runs."""
    process = subprocess.Popen(
        [program, *options, "image"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("length\n")
    process.stdin.flush()
    while "640 KiB" not in process.stdout.readline():
        assert process.poll() is None
    try:
        yield
        process.communicate("quit\n", timeout=60)
    finally:
        process.kill()


@pytest.fixture(autouse=True)
def images(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 640k", f"{CREATE} -b base -F qcow2 image")).make(real_tool)


READING = ("info image", "check image", "map image", "compare image base", "convert -O raw image copy")
WRITING = (
    "resize image 1M",
    "rebase -b x -F raw -u image",
    "rebase -b base -F qcow2 image",
    "commit image",
    "check -r all image",
    "snapshot -c s image",
    "convert -O qcow2 base image",
    "convert -n -O qcow2 base image",
    "create -f qcow2 image 1M",
    "bench -w -c 1 image",
)


@pytest.mark.parametrize("arguments", [*READING, *WRITING])
def test_what_qemu_writes_to_is_neither_read_nor_written(arguments: str, real_tool: Tool) -> None:
    before = Path("image").read_bytes()
    with opened_by_qemu(real_tool("qemu-io")):
        mine = ours(*arguments.split())
        refused(mine, 2 if "compare" in arguments else 1, "image", "lock")
        assert run(real_tool("qemu-img"), *arguments.split()).code == mine.code
        assert Path("image").read_bytes() == before


@pytest.mark.parametrize("arguments", READING)
def test_who_forces_it_may_read_what_qemu_writes_to(arguments: str, real_tool: Tool) -> None:
    with opened_by_qemu(real_tool("qemu-io")):
        verb, *rest = arguments.split()
        assert ours(verb, "-U", *rest).code == 0


@pytest.mark.parametrize("arguments", READING)
def test_who_only_reads_is_no_hindrance(arguments: str, real_tool: Tool) -> None:
    with opened_by_qemu(real_tool("qemu-io"), "-r"):
        assert ours(*arguments.split()).code == 0


@pytest.mark.parametrize("arguments", WRITING)
def test_who_reads_is_not_written_under(arguments: str, real_tool: Tool) -> None:
    with opened_by_qemu(real_tool("qemu-io"), "-r"):
        refused(ours(*arguments.split()), 1, "image", "lock")


def test_qemu_leaves_alone_what_we_use(real_tool: Tool, folder: Path) -> None:
    qemu_img = real_tool("qemu-img")
    with open_chain(PosixFolder(folder), "image", writable=True):
        assert run(qemu_img, "info", "image").code == 1
        assert run(qemu_img, "info", "-U", "image").code == 0
    with open_chain(PosixFolder(folder), "image"):
        assert run(qemu_img, "info", "image").code == 0
        assert run(qemu_img, "resize", "image", "1M").code == 1
    assert run(qemu_img, "resize", "image", "1M").code == 0
