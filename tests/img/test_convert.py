"""`blockops img convert` copies what the real qemu-img convert copies, into as few clusters."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.host.posix import PosixFolder
from blockops.img.convert import convert
from blockops.img.opening import open_chain
from blockops.img.options import ImageOptions
from blockops.img.windows import Grain
from tests.img.corpus import CORPUS, CREATE, PLAIN_CHAINS, Recipe
from tests.img.room import files_up_to
from tests.img.tools import content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
READABLE = [
    recipe for recipe in CORPUS if recipe.lacks in (None, "compressed clusters") and recipe.name != "large"
]
ROOT = Path(__file__).parents[2]

WAYS = (
    "-O raw",
    "-O qcow2",
    "-O qcow2 -c",
    "-O qcow2 -o cluster_size=512",
    "-O qcow2 -o cluster_size=4k,compat=0.10",
    "-O qcow2 -o cluster_size=2M,refcount_bits=1",
    "-O qcow2 -c -o cluster_size=4k",
    "-O qcow2 -S 0",
    "-O raw -S 64k",
    "-t writeback -O qcow2",
)


def allocated(real_tool: Tool, name: str) -> int:
    """How many clusters of an image are allocated, in the words of the real tool."""
    found = json.loads(done(real_tool("qemu-img"), "check", "--output=json", name))
    return int(found.get("allocated-clusters", 0))


@pytest.mark.parametrize("recipe", READABLE, ids=lambda recipe: recipe.name)
def test_a_copy_shows_what_the_source_shows(made: Recipe, real_tool: Tool) -> None:
    wanted = content(real_tool("qemu-img"), "image")
    for way in WAYS:
        mine = ours("convert", *way.split(), "image", "copy")
        assert (mine.code, mine.out, mine.err) == (0, "", "")
        assert content(real_tool("qemu-img"), "copy") == wanted, way
        if "qcow2" in way:
            done(real_tool("qemu-img"), "convert", *way.split(), "image", "theirs")
            assert allocated(real_tool, "copy") == allocated(real_tool, "theirs"), way
        else:
            assert Path("copy").read_bytes() == wanted
    assert not Path("copy.unfinished").exists()


@pytest.mark.parametrize("recipe", PLAIN_CHAINS, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize(
    "options", ["", "-o cluster_size=4k", "-o cluster_size=512", "-c", "-o compat=0.10", "-o cluster_size=2M"]
)
def test_over_its_base_a_copy_is_an_overlay_again(made: Recipe, options: str, real_tool: Tool) -> None:
    facts = json.loads(done(real_tool("qemu-img"), "info", "--output=json", "image"))
    below = ["-B", facts["backing-filename"], "-F", facts["backing-filename-format"]]
    assert ours("convert", "-O", "qcow2", *below, *options.split(), "image", "copy").code == 0
    assert content(real_tool("qemu-img"), "copy") == content(real_tool("qemu-img"), "image")
    done(real_tool("qemu-img"), "check", "copy")
    if not options and made.name != "overlay-of-small-clusters":  # whose zeros fill no cluster of the copy
        done(real_tool("qemu-img"), "convert", "-O", "qcow2", *below, *options.split(), "image", "theirs")
        assert allocated(real_tool, "copy") == allocated(real_tool, "theirs")


@pytest.mark.parametrize("format", ["raw", "qcow2"])
@pytest.mark.parametrize("options", [[], ["-t", "writeback"], ["-S", "0"], ["-c"]], ids=" ".join)
def test_into_an_image_that_is_there_all_is_written_zeros_too(
    format: str, options: list[str], real_tool: Tool
) -> None:
    if (format, options) == ("raw", ["-c"]):
        return
    Recipe(
        "", (f"{CREATE} image 640k", "qemu-io -c 'write -P 1 100k 100k' -c 'write -z 300k 40k' image")
    ).make(real_tool)
    done(real_tool("qemu-img"), "create", "-q", "-f", format, "target", "1M")
    done(real_tool("qemu-io"), "-f", format, "-c", "write -P 9 0 1M", "target")
    assert ours("convert", "-n", "-O", format, *options, "image", "target").code == 0
    wanted = content(real_tool("qemu-img"), "image")
    assert content(real_tool("qemu-img"), "target") == wanted.ljust(1 << 20, b"\x09")


def test_into_an_image_that_is_known_to_be_zero_no_zeros_are_written(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} image 64M", "qemu-io -c 'write -P 1 8M 1M' image")).make(real_tool)
    os.truncate(folder / "target", 64 << 20) if (folder / "target").exists() else (folder / "target").touch()
    os.truncate(folder / "target", 64 << 20)
    assert ours("convert", "-n", "--target-is-zero", "image", "target").code == 0
    assert os.stat("target").st_blocks * 512 <= 2 << 20
    assert content(real_tool("qemu-img"), "image") == (folder / "target").read_bytes()


def test_several_images_are_copied_behind_each_other(real_tool: Tool) -> None:
    Recipe(
        "",
        (
            f"{CREATE} a 100000",
            "qemu-io -c 'write -P 1 0 100000' a",
            f"{CREATE} b 3M",
            "qemu-io -c 'write -P 2 1M 1500k' b",
            "qemu-img create -q -f raw c 5000",
        ),
    ).make(real_tool)
    for way in ("-O raw", "-O qcow2", "-O qcow2 -c", "-O qcow2 -o cluster_size=512"):
        assert ours("convert", *way.split(), "a", "b", "c", "all").code == 0
        done(real_tool("qemu-img"), "convert", *way.split(), "a", "b", "c", "theirs")
        assert content(real_tool("qemu-img"), "all") == content(real_tool("qemu-img"), "theirs")


BAD = (
    "",
    "image",
    "missing copy",
    "image nowhere/copy",
    "image base/copy",
    "-O raw -o cluster_size=4k image copy",
    "-O raw -c image copy",
    "-O raw -B base image copy",
    "-O qcow2 -B base image copy",
    "-O qcow2 -B missing -F qcow2 image copy",
    "-S 3 image copy",
    "-S 32M image copy",
    "-S x image copy",
    "-n image missing",
    "-n -O qcow2 image garbage",
    "-n -O qcow2 -o cluster_size=4k image base",
    "-n -O raw image garbage",
    "--target-is-zero image copy",
    "-t sometimes image copy",
    "-O nothing image copy",
    "-f nothing image copy",
    "-f qcow2 garbage copy",
    "-m 0 image copy",
    "-m 17 image copy",
    "-O qcow2 -o size=1M image copy",
    "image image",
    "image base",
    "-n -O qcow2 image image",
    "-n -O qcow2 image base",
)


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_copied_is_refused_and_nothing_is_left(
    arguments: str, real_tool: Tool, folder: Path
) -> None:
    Recipe(
        "", (f"{CREATE} base 2M", "qemu-io -c 'write -P 1 0 1M' base", f"{CREATE} -b base -F qcow2 image")
    ).make(real_tool)
    (folder / "garbage").write_bytes(b"garbage")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused(ours("convert", *arguments.split()), 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    if "size=1M" not in arguments:
        assert run(real_tool("qemu-img"), "convert", *arguments.split()).code == 1


def test_a_source_that_breaks_in_the_middle_leaves_what_was_there(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} image 8M", "qemu-io -c 'write -P 1 0 8M' image")).make(real_tool)
    content = bytearray((folder / "image").read_bytes())
    content[0x40000 + 8 * 100 : 0x40000 + 8 * 101] = (1 << 63 | 0x50002).to_bytes(8, "big")
    (folder / "image").write_bytes(content)
    (folder / "copy").write_bytes(b"precious")
    refused(ours("convert", "-O", "qcow2", "image", "copy"), 1, "image", "L2 table", "0x8000000000050002")
    assert (folder / "copy").read_bytes() == b"precious"
    assert not (folder / "copy.unfinished").exists()


@pytest.mark.parametrize("way", ["-O raw", "-O qcow2", "-O qcow2 -c", "-O raw -S 0"])
def test_without_room_there_is_no_copy(way: str, real_tool: Tool, folder: Path) -> None:
    (folder / "image").write_bytes(os.urandom(1 << 20))
    (folder / "copy").write_bytes(b"precious")
    with files_up_to(700_000):
        refused(ours("convert", *way.split(), "image", "copy"), 1, "copy", os.strerror(errno.EFBIG))
    assert (folder / "copy").read_bytes() == b"precious"
    assert sorted(path.name for path in folder.iterdir()) == ["copy", "image"]


def test_without_room_an_image_that_was_there_is_said_to_be_incomplete(real_tool: Tool, folder: Path) -> None:
    (folder / "image").write_bytes(os.urandom(1 << 20))
    ours("create", "-f", "qcow2", "target", "1M")
    with files_up_to(700_000):
        refused(ours("convert", "-n", "-O", "qcow2", "image", "target"), 1, "target is incomplete now")
    assert run(real_tool("qemu-img"), "check", "target").code in (0, 3)


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_copy_that_is_interrupted_is_none(kill: signal.Signals, folder: Path) -> None:
    with (folder / "image").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))
    (folder / "copy").write_bytes(b"precious")
    command = [sys.executable, "-m", "proposals", "img", "convert", "-c", "-O", "qcow2", "image", "copy"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    unfinished = folder / "copy.unfinished"
    while not unfinished.exists() or unfinished.stat().st_size < 3 << 20:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(kill)
    _, said = process.communicate(timeout=60)
    assert (folder / "copy").read_bytes() == b"precious"
    if kill is signal.SIGKILL:
        assert unfinished.exists()
    else:
        assert (process.returncode, said.strip()) == (1, "blockops: interrupted")
        assert not unfinished.exists()


def test_progress_is_printed_as_by_the_real_tool(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} image 64M", "qemu-io -c 'write 0 30M' image")).make(real_tool)
    mine, real = (
        ours("convert", "-p", "image", "a"),
        run(real_tool("qemu-img"), "convert", "-p", "image", "b"),
    )
    for out in (mine.out, real.out):
        assert out.startswith("    (0.00/100%)\r")
        assert out.endswith("    (100.00/100%)\r\n")
    assert ours("convert", "-p", "-q", "image", "a").out == ""
    assert ours("convert", "image", "a").out == ""


def test_a_copy_takes_little_memory_however_large_the_image(real_tool: Tool, folder: Path) -> None:
    writes = " ".join(f"-c 'write -P 1 {number * 16}G 3M'" for number in range(64))
    large = "-c 'write -P 2 500G 64M'"
    Recipe("", (f"{CREATE} image 1T", f"qemu-io {writes} {large} image")).make(real_tool)
    with open_chain(PosixFolder(folder), "image") as chain:
        tracemalloc.start()
        convert(PosixFolder(folder), [chain], "copy", "qcow2", ImageOptions(cluster_size=1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40 << 20
    assert run(real_tool("qemu-img"), "compare", "image", "copy").code == 0


@given(
    st.integers(0, 40), st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([512, 1024, 4096])
)
def test_grains_of_zeros_are_found_where_they_are(start: int, sectors: list[bool], grain: int) -> None:
    data = b"".join(bytes(512) if zero else b"\0" * 511 + b"x" for zero in sectors)
    found = list(Grain(grain).split(start * 512, data))
    assert found[0][0] == 0
    assert found[-1][1] == len(data)
    for (_, end, zero), (first, _, other) in pairwise(found):
        assert end == first
        assert zero is not other
        assert (start * 512 + first) % grain == 0
    for first, end, zero in found:
        assert not zero or not data[first:end].strip(b"\0")
