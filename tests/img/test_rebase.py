"""`blockops img rebase` keeps what an image shows, and names below it what the real qemu-img names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.rebase import rebase
from tests.img.corpus import CHAINS, CREATE, Recipe
from tests.img.tools import content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

BASES = {
    "same": ("qemu-img convert -O qcow2 image-base other",),
    "empty": (f"{CREATE} other 640k",),
    "longer": (f"{CREATE} other 2M", "qemu-io -c 'write -P 77 500k 1500k' other"),
    "shorter": (f"{CREATE} other 100k", "qemu-io -c 'write -P 9 0 100k' other"),
    "half": (f"{CREATE} -o cluster_size=4k other 640k", "qemu-io -c 'write -P 9 0 130k' other"),
    "raw": ("qemu-img create -q -f raw other 640k", "qemu-io -f raw -c 'write -P 9 50k 100k' other"),
    "none": (),
}


def facts(real_tool: Tool, name: str) -> dict[str, object]:
    """What the real tool says of the names in an image's header."""
    found = json.loads(done(real_tool("qemu-img"), "info", "--output=json", name))
    return {key: value for key, value in found.items() if "backing" in key}


@pytest.mark.parametrize("recipe", CHAINS, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("base", BASES)
def test_an_image_shows_over_another_base_what_it_showed(made: Recipe, base: str, real_tool: Tool) -> None:
    shutil.copy("base", "image-base")
    commands = BASES[base]
    if made.name == "overlay-over-raw":
        commands = tuple(one.replace("convert -O", "convert -f raw -O") for one in commands)
    Recipe("", commands).make(real_tool)
    format = "raw" if base == "raw" else "qcow2"
    new = ["-b", ""] if base == "none" else ["-b", "other", "-F", format]
    wanted = content(real_tool("qemu-img"), "image")
    shutil.copy("image", "theirs")
    mine = ours("rebase", *new, "image")
    real = run(real_tool("qemu-img"), "rebase", *new, "theirs")
    assert (mine.code, mine.out, mine.err) == (real.code, real.out, "") == (0, "", "")
    assert content(real_tool("qemu-img"), "image") == wanted
    assert facts(real_tool, "image") == facts(real_tool, "theirs")
    done(real_tool("qemu-img"), "check", "image")
    assert allocated(real_tool, "image") <= allocated(real_tool, "theirs")


def allocated(real_tool: Tool, name: str) -> int:
    found = json.loads(done(real_tool("qemu-img"), "check", "--output=json", name))
    return int(found.get("allocated-clusters", 0))


def test_over_an_equal_base_nothing_is_copied(real_tool: Tool) -> None:
    Recipe(
        "",
        (
            f"{CREATE} base 1M",
            "qemu-io -c 'write -P 1 0 1M' base",
            f"{CREATE} -b base -F qcow2 image",
            "qemu-img convert -O raw base other",
        ),
    ).make(real_tool)
    assert ours("rebase", "-b", "other", "-F", "raw", "image").code == 0
    assert allocated(real_tool, "image") == 0


@pytest.mark.parametrize(
    "new",
    [
        ["-b", "nothing", "-F", "raw"],
        ["-b", "", "-F", "raw"],
        ["-b", ""],
        [],
        ["-b", "x" * 700, "-F", "qcow2"],
        ["-b", "base", "-F", "raw"],
    ],
    ids=["missing", "none-of-raw", "none", "nothing-said", "a-long-name", "another-format"],
)
@pytest.mark.parametrize("compat", ["0.10", "1.1"])
def test_unsafely_only_the_name_is_changed(new: list[str], compat: str, real_tool: Tool) -> None:
    Recipe(
        "",
        (
            f"{CREATE} base 1M",
            f"{CREATE} -o compat={compat} -b base -F qcow2 image",
            "qemu-io -c 'write -P 1 0 70k' image",
        ),
    ).make(real_tool)
    shutil.copy("image", "theirs")
    before = Path("image").read_bytes()
    mine, real = (
        ours("rebase", "-u", *new, "image"),
        run(real_tool("qemu-img"), "rebase", "-u", *new, "theirs"),
    )
    assert (mine.code, mine.out) == (real.code, real.out) == (0, "")
    assert facts(real_tool, "image") == facts(real_tool, "theirs")
    assert Path("image").read_bytes()[65536:] == before[65536:]
    assert ours("rebase", "-u", "-b", "base", "-F", "qcow2", "image").code == 0
    assert content(real_tool("qemu-img"), "image")[:70000] == b"\1" * 70000


def test_what_is_in_the_header_stays(real_tool: Tool) -> None:
    Recipe(
        "",
        (
            f"{CREATE} -o lazy_refcounts=on,refcount_bits=8,compression_type=zstd base 1M",
            "qemu-img bitmap --add base b",
        ),
    ).make(real_tool)
    before = json.loads(done(real_tool("qemu-img"), "info", "--output=json", "base"))
    assert ours("rebase", "-u", "-b", "x", "-F", "raw", "base").code == 0
    after = json.loads(done(real_tool("qemu-img"), "info", "--output=json", "base"))
    assert after["format-specific"] == before["format-specific"]


def test_what_cannot_be_is_refused_and_changes_nothing(real_tool: Tool, folder: Path) -> None:
    Recipe(
        "",
        (
            f"{CREATE} base 1M",
            f"{CREATE} -b base -F qcow2 image",
            f"{CREATE} -b image -F qcow2 above",
            "qemu-img create -q -f raw raw 1M",
            f"{CREATE} -o cluster_size=512 small 1M",
        ),
    ).make(real_tool)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments in (
        ["image"],
        ["-b", "base", "image"],
        ["-b", "image", "-F", "qcow2", "image"],
        ["-b", "above", "-F", "qcow2", "image"],
        ["-b", "missing", "-F", "qcow2", "image"],
        ["-b", "raw", "-F", "qcow2", "image"],
        ["-b", "base", "-F", "nothing", "image"],
        ["-u", "-b", "base", "-F", "nothing", "image"],
        ["-b", "base", "-F", "qcow2", "raw"],
        ["-u", "-f", "raw", "-b", "base", "-F", "qcow2", "raw"],
        ["-u", "-b", "x" * 500, "-F", "qcow2", "small"],
        ["-u", "-b", "x" * 1100, "-F", "qcow2", "image"],
        ["-b", "", "missing"],
    ):
        refused(ours("rebase", *arguments), 1)
        assert run(real_tool("qemu-img"), "rebase", *arguments).code == 1, arguments
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "base").unlink()
    refused(ours("rebase", "-b", "", "image"), 1, "base", "No such file")


def test_the_library_takes_none_for_no_backing(real_tool: Tool, folder: Path) -> None:
    Recipe(
        "", (f"{CREATE} base 1M", "qemu-io -c 'write -P 1 0 1M' base", f"{CREATE} -b base -F qcow2 image")
    ).make(real_tool)
    rebase(PosixFolder(folder), "image", None, None)
    (folder / "base").unlink()
    assert content(real_tool("qemu-img"), "image") == b"\1" * (1 << 20)
