"""`blockops img snapshot` keeps the disks that the real qemu-img snapshot keeps."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.snapshots import delete, go_back, listed, take
from tests.img.corpus import CREATE, Recipe
from tests.img.tools import Ended, content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")


def without_dates(ended: Ended) -> str:
    """The list without dates, and without the count of instructions, which we leave out where it is 0."""
    text = re.sub(r" +0?$", "", ended.out, flags=re.MULTILINE)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", text)


def write(real_tool: Tool, value: int) -> None:
    for name in ("image", "theirs"):
        done(real_tool("qemu-io"), "-c", f"write -P {value} {value * 30}k 100k", name)


@pytest.mark.parametrize("options", ["", "-o compat=0.10", "-o cluster_size=512", "-o extended_l2=on"])
def test_snapshots_are_taken_gone_back_to_and_deleted_as_by_the_real_tool(
    options: str, real_tool: Tool
) -> None:
    Recipe("", (f"{CREATE} {options} image 640k",)).make(real_tool)
    shutil.copy("image", "theirs")
    seen: dict[str, bytes] = {}
    for number, arguments in enumerate(
        (
            ["-c", "one"],
            ["-c", "two"],
            ["-c", "one"],
            ["-a", "one"],
            ["-d", "one"],
            ["-a", "3"],
            ["-d", "two"],
        )
    ):
        write(real_tool, number + 1)
        mine = ours("snapshot", *arguments, "image")
        real = run(real_tool("qemu-img"), "snapshot", *arguments, "theirs")
        assert (mine.code, mine.out, mine.err) == (real.code, real.out, "") == (0, "", "")
        lists = ours("snapshot", "-l", "image"), run(real_tool("qemu-img"), "snapshot", "-l", "theirs")
        assert without_dates(lists[0]) == without_dates(lists[1])
        assert (
            ours("snapshot", "-l", "image").out == run(real_tool("qemu-img"), "snapshot", "-l", "image").out
        )
        seen["image"] = content(real_tool("qemu-img"), "image")
        assert seen["image"] == content(real_tool("qemu-img"), "theirs")
        done(real_tool("qemu-img"), "check", "image")


@pytest.mark.parametrize(
    "wanted", ["one", "1", "snapshot.name=one", "snapshot.id=1", "snapshot.id=1,snapshot.name=one"]
)
def test_a_copy_can_show_a_snapshot(wanted: str, real_tool: Tool) -> None:
    Recipe(
        "", (f"{CREATE} base 640k", "qemu-io -c 'write -P 8 0 640k' base", f"{CREATE} -b base -F qcow2 image")
    ).make(real_tool)
    shutil.copy("image", "theirs")
    write(real_tool, 1)
    ours("snapshot", "-c", "one", "image")
    write(real_tool, 5)
    for format in ("raw", "qcow2"):
        assert ours("convert", "-l", wanted, "-O", format, "image", "copy").code == 0
        done(real_tool("qemu-img"), "convert", "-l", wanted, "-O", format, "image", "their-copy")
        assert content(real_tool("qemu-img"), "copy") == content(real_tool("qemu-img"), "their-copy")


def test_what_cannot_be_is_refused_and_changes_nothing(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} image 640k", "qemu-img snapshot -c one image", "qemu-img create -q raw 64k")).make(
        real_tool
    )
    before = Path("image").read_bytes()
    for arguments in (
        ["-a", "two", "image"],
        ["-d", "two", "image"],
        ["-d", "1", "image"],
        ["-l", "-c", "x", "image"],
        ["-c", "x", "raw"],
        ["-c", "x"],
        ["-c", "x", "missing"],
        ["-l", "missing"],
    ):
        refused(ours("snapshot", *arguments), 1)
        assert run(real_tool("qemu-img"), "snapshot", *arguments).code == 1
    for wanted in ("two", "snapshot.id=2", "snapshot.id=1,snapshot.name=two"):
        refused(ours("convert", "-l", wanted, "image", "copy"), 1, wanted)
    refused(ours("convert", "-l", "one", "raw", "copy"), 1)
    assert Path("image").read_bytes() == before
    assert ours("snapshot", "-l", "raw").out == ours("snapshot", "image").out == ""


def test_the_library_does_the_same(folder: Path) -> None:
    ours("create", "-f", "qcow2", "image", "1M")
    here = PosixFolder(folder)
    take(here, "image", "one", date=1_700_000_000, date_nanoseconds=5)
    (found,) = listed(here, "image")
    assert (found.id, found.name, found.date, found.date_nanoseconds) == ("1", "one", 1_700_000_000, 5)
    go_back(here, "image", "one")
    delete(here, "image", "one")
    assert listed(here, "image") == ()
