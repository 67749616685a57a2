"""`blockops img resize` gives an image the size that the real qemu-img gives it, and the same contents."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.img.resize import resize
from tests.img.corpus import CREATE, Recipe
from tests.img.tools import content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

IMAGES = {
    "qcow2": (f"{CREATE} image 1M",),
    "small-clusters": (f"{CREATE} -o cluster_size=512 image 1M",),
    "v2": (f"{CREATE} -o compat=0.10 image 1M",),
    "over-longer": (
        f"{CREATE} base 3M",
        "qemu-io -c 'write -P 7 0 3M' base",
        f"{CREATE} -b base -F qcow2 image 1M",
    ),
    "raw": ("qemu-img create -q -f raw image 1M",),
}
WRITES = "-c 'write -P 1 0 100k' -c 'write -P 2 700k 324k'"


def made(name: str, real_tool: Tool) -> list[str]:
    """Make an image and a copy of it, `theirs`; return the option for its format."""
    format = "raw" if name == "raw" else "qcow2"
    Recipe("", (*IMAGES[name], f"qemu-io -f {format} {WRITES} image")).make(real_tool)
    shutil.copy("image", "theirs")
    return ["-f", format]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize(
    "sizes", [["2M"], ["+1M"], ["+0"], ["1M"], ["+512", "5M", "+3G"], ["1G", "+1G"]], ids=" ".join
)
def test_a_longer_disk_shows_zeros_behind_what_it_had(name: str, sizes: list[str], real_tool: Tool) -> None:
    option = made(name, real_tool)
    for size in sizes:
        mine = ours("resize", *option, "image", size)
        real = run(real_tool("qemu-img"), "resize", *option, "theirs", size)
        assert (mine.code, mine.out, mine.err) == (real.code, real.out, "") == (0, "Image resized.\n", "")
    assert run(real_tool("qemu-img"), "compare", *option, "image", "theirs").code == 0
    assert ours("info", "image").out.splitlines()[2] == ours("info", "theirs").out.splitlines()[2]
    if name != "raw":
        done(real_tool("qemu-img"), "check", "image")


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("size", ["-1k", "800k", "-924k", "512", "-300k", "65536"])
def test_a_shorter_disk_keeps_its_beginning_and_grows_zeros_again(
    name: str, size: str, real_tool: Tool
) -> None:
    option = made(name, real_tool)
    refused(ours("resize", *option, "image", size), 1, "image", "data would be lost")
    assert Path("image").read_bytes() == Path("theirs").read_bytes()
    kept = b""
    for step in (["--shrink", "image", size], ["image", "2M"]):
        mine = ours("resize", *option, *step)
        real = run(real_tool("qemu-img"), "resize", *option, *(s.replace("image", "theirs") for s in step))
        assert (mine.code, mine.out) == (real.code, real.out)
        if name != "raw":
            done(real_tool("qemu-img"), "check", "image")
        if "--shrink" in step:
            kept = content(real_tool("qemu-img"), "image")
            assert kept == content(real_tool("qemu-img"), "theirs")
    assert content(real_tool("qemu-img"), "image") == kept.ljust(2 << 20, b"\0")


def test_an_overlay_of_version_2_is_not_made_shorter(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -o compat=0.10 -b base -F qcow2 image")).make(real_tool)
    refused(ours("resize", "--shrink", "image", "512k"), 1, "image", "version 2")


def test_a_raw_image_may_have_any_length(real_tool: Tool) -> None:
    option = made("raw", real_tool)
    for name, tool in (("image", ours), ("theirs", lambda *a: run(real_tool("qemu-img"), *a))):
        assert tool("resize", *option, name, "2000001").code == 0
        assert os.path.getsize(name) == 2000001


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "image",
        "missing 1M",
        "image x",
        "image +x",
        "image 1000001",
        "image 8191P",
        "--shrink image -2M",
        "--shrink image -1M",
        "image 100",
        "--preallocation=full image 500",
        "image 1M 2M",
        ". 1M",
    ],
)
def test_what_is_no_size_for_it_is_refused_and_changes_nothing(arguments: str, real_tool: Tool) -> None:
    made("qcow2", real_tool)
    refused(ours("resize", *arguments.split()), 1)
    assert Path("image").read_bytes() == Path("theirs").read_bytes()
    assert run(real_tool("qemu-img"), "resize", *arguments.split()).code == 1


def test_the_library_returns_the_size(folder: Path) -> None:
    ours("create", "-f", "qcow2", "image", "1M")
    assert resize(PosixFolder(folder), "image", 4096, relative=True) == (1 << 20) + 4096
    with pytest.raises(InvalidRequest, match="data would be lost"):
        resize(PosixFolder(folder), "image", 512)
