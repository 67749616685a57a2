"""`blockops img commit` leaves below and above what the real qemu-img commit leaves."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.commit import Committed, commit
from tests.img.corpus import CREATE, PLAIN_CHAINS, WORK, Recipe
from tests.img.room import files_up_to
from tests.img.tools import content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
FILES = ("base", "middle", "image")


def states(real_tool: Tool, folder: Path) -> dict[str, tuple[bytes, int]]:
    """What every image of the working folder shows, and its size."""
    return {
        name: (content(real_tool("qemu-img"), name), _clusters(real_tool, name))
        for name in FILES
        if (folder / name).exists()
    }


def _clusters(real_tool: Tool, name: str) -> int:
    if Path(name).read_bytes()[:4] != b"QFI\xfb":
        return 0
    found = json.loads(done(real_tool("qemu-img"), "check", "--output=json", name))
    return int(found.get("allocated-clusters", 0)) if name == "image" else 0


@pytest.mark.parametrize("recipe", PLAIN_CHAINS, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("options", [[], ["-d"], ["-b", "base"], ["-q"]], ids=["", "keep", "base", "quiet"])
def test_both_images_are_then_as_with_the_real_tool(
    made: Recipe, options: list[str], real_tool: Tool, folder: Path
) -> None:
    saved = {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    mine = ours("commit", *options, "image")
    after = states(real_tool, folder)
    for name, data in saved.items():
        (folder / name).write_bytes(data)
    real = run(real_tool("qemu-img"), "commit", *options, "image")
    assert (mine.code, mine.out, mine.err) == (real.code, real.out, "")
    assert mine.code == 0
    theirs = states(real_tool, folder)
    assert {n: s[0] for n, s in after.items()} == {n: s[0] for n, s in theirs.items()}
    assert after["image"][1] == theirs["image"][1]


def test_an_emptied_overlay_is_the_kind_that_it_was(real_tool: Tool) -> None:
    options = "cluster_size=4k,refcount_bits=8,lazy_refcounts=on,compression_type=zstd"
    Recipe("", (f"{CREATE} base 640k", f"{CREATE} -o {options} -b base -F qcow2 image", WORK)).make(real_tool)
    shutil.copy("image", "before")
    assert ours("commit", "image").code == 0
    found = [
        json.loads(done(real_tool("qemu-img"), "info", "--output=json", name)) for name in ("before", "image")
    ]
    for one in found:
        one.pop("actual-size"), one.pop("filename")
    assert found[0] == found[1]


def test_what_cannot_be_committed_is_refused_and_changes_nothing(real_tool: Tool, folder: Path) -> None:
    Recipe(
        "",
        (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image", WORK, "qemu-img create -q -f raw raw 1M"),
    ).make(real_tool)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments in (
        ["base"],
        ["-f", "raw", "raw"],
        ["-b", "missing", "image"],
        ["-b", "image", "image"],
        ["missing"],
        [],
    ):
        refused(ours("commit", *arguments), 1)
        assert run(real_tool("qemu-img"), "commit", *arguments).code == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_an_empty_overlay_could_not_keep_is_not_emptied(real_tool: Tool, folder: Path) -> None:
    Recipe(
        "",
        (
            f"{CREATE} base 1M",
            f"{CREATE} -b base -F qcow2 image",
            WORK,
            "qemu-img snapshot -c s image",
            f"{CREATE} -b base -F qcow2 other",
            "qemu-img bitmap --add other b",
        ),
    ).make(real_tool)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused(ours("commit", "image"), 1, "image", "snapshots")
    refused(ours("commit", "other"), 1, "other", "bitmaps")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert ours("commit", "-d", "image").code == 0


def test_without_room_the_overlay_still_shows_all(real_tool: Tool, folder: Path) -> None:
    Recipe(
        "", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image", "qemu-io -c 'write -P 3 0 1M' image")
    ).make(real_tool)
    with files_up_to(700_000):
        refused(ours("commit", "image"), 1, "base", os.strerror(27))
    assert content(real_tool("qemu-img"), "image") == b"\3" * (1 << 20)
    assert run(real_tool("qemu-img"), "check", "base").code in (0, 3)


def test_the_library_says_what_was_done(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image 2M", WORK)).make(real_tool)
    assert commit(PosixFolder(folder), "image", keep=True) == Committed("base", grown=True, emptied=False)
    assert commit(PosixFolder(folder), "image") == Committed("base", grown=False, emptied=True)
