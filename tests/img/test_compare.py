"""`blockops img compare` finds the difference that the real qemu-img compare finds, and no other."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.host.posix import PosixFolder
from blockops.img.compare import Comparison, Difference, compare, first_difference
from blockops.img.opening import open_chain
from blockops.img.reading import read_extent
from tests.img.corpus import CHAINS, CORPUS, CREATE, Recipe
from tests.img.tools import Ended, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
READABLE = [recipe for recipe in CORPUS if recipe.lacks is None and recipe.name != "large"]
corpus = pytest.mark.parametrize("recipe", READABLE, ids=lambda recipe: recipe.name)


def both(real_tool: Tool, *arguments: object) -> Ended:
    """Run both tools, assert that they end in the same way with the same words; return that."""
    mine, real = ours("compare", *arguments), run(real_tool("qemu-img"), "compare", *arguments)
    assert (mine.code, mine.out) == (real.code, real.out)
    return mine


@corpus
def test_an_image_is_identical_to_its_copies_and_a_changed_copy_differs(
    made: Recipe, real_tool: Tool, folder: Path
) -> None:
    qemu_img = real_tool("qemu-img")
    done(qemu_img, "convert", "-O", "raw", "image", "copy.raw")
    done(qemu_img, "convert", "-O", "qcow2", "image", "copy.qcow2")
    for copy in ("copy.raw", "copy.qcow2", "image"):
        assert both(real_tool, "image", copy).code == 0
        assert both(real_tool, copy, "image").code == 0
    size = os.path.getsize("copy.raw")
    for offset in {0, size // 2, size - 1} if size else ():
        done(real_tool("qemu-io"), "-f", "raw", "-c", f"write -P 77 {offset} 1", "copy.raw")
        assert both(real_tool, "image", "copy.raw").code == 1
        both(real_tool, "-q", "copy.raw", "image")


@corpus
def test_strictly_the_same_is_what_the_real_tool_calls_so(made: Recipe, real_tool: Tool) -> None:
    qemu_img = real_tool("qemu-img")
    done(qemu_img, "convert", "-O", "raw", "image", "copy.raw")
    done(qemu_img, "convert", "-O", "qcow2", "image", "copy.qcow2")
    for one, other in itertools.product(("image", "copy.raw", "copy.qcow2"), repeat=2):
        both(real_tool, "-s", one, other)


@pytest.mark.parametrize("options", [[], ["-s"]], ids=["plain", "strict"])
@pytest.mark.parametrize("recipe", CHAINS, ids=lambda recipe: recipe.name)
def test_an_overlay_compares_with_what_it_covers(made: Recipe, options: list[str], real_tool: Tool) -> None:
    both(real_tool, *options, "image", "base")
    both(real_tool, *options, "base", "image")


@pytest.mark.parametrize(
    "tail", ["", "write -P 0 1M 4k", "write -z 1M 4k", "write -P 1 1536k 512", "write 2047k 1k"]
)
def test_a_longer_image_is_identical_where_it_ends_in_zeros(tail: str, real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} a 1M", f"{CREATE} b 2M")).make(real_tool)
    for name in ("a", "b"):
        done(real_tool("qemu-io"), "-c", "write -P 3 100k 300k", name)
    if tail:
        done(real_tool("qemu-io"), "-c", tail, "b")
    for options in ([], ["-s"], ["-q"]):
        both(real_tool, *options, "a", "b")
        both(real_tool, *options, "b", "a")


def test_formats_that_are_given_are_not_probed(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} a 1M", "qemu-img convert -O raw a b")).make(real_tool)
    assert both(real_tool, "-f", "qcow2", "-F", "raw", "a", "b").code == 0
    assert both(real_tool, "-f", "raw", "-F", "raw", "a", "b").code == 1


def test_one_file_read_in_two_ways_is_two_images(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} a 1M", "qemu-io -c 'write -P 9 0 1M' a")).make(real_tool)
    assert both(real_tool, "-f", "qcow2", "-F", "raw", "a", "a").code == 1


def test_what_cannot_be_compared_ends_with_its_code(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} a 1M", f"{CREATE} -b a -F qcow2 b", f"{CREATE} c 1M")).make(real_tool)
    for arguments in (["a"], ["-x", "a", "b"], ["a", "b", "c"], []):
        refused(ours("compare", *arguments), 1)
        assert run(real_tool("qemu-img"), "compare", *arguments).code == 1
    for arguments in (["a", "missing"], ["missing", "a"], [".", "a"]):
        refused(ours("compare", *arguments), 2)
        assert run(real_tool("qemu-img"), "compare", *arguments).code == 2
    _break_l2_entry(folder / "c")
    refused(ours("compare", "a", "c"), 3, "L2 table", "0x80000000000001ff")
    (folder / "a").unlink()
    refused(ours("compare", "b", "c"), 2, "No such file")


def _break_l2_entry(path: Path) -> None:
    content = bytearray(path.read_bytes().ljust(0x60000, b"\0"))
    content[0x30000:0x30008] = (1 << 63 | 0x50000).to_bytes(8, "big")
    content[0x50000:0x50008] = (1 << 63 | 0x1FF).to_bytes(8, "big")
    path.write_bytes(content)


def test_what_both_have_in_common_is_not_read(
    real_tool: Tool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recipe("", (f"{CREATE} base 64M", "qemu-io -c 'write -P 5 0 64M' base")).make(real_tool)
    for name in ("a", "b"):
        done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", name)
    done(real_tool("qemu-io"), "-c", "write -P 5 1M 64k", "b")
    read: list[int] = []
    monkeypatch.setattr("blockops.img.compare.read_extent", _counting(read))
    with open_chain(PosixFolder(folder), "a") as one, open_chain(PosixFolder(folder), "b") as other:
        assert compare(one, other) == Comparison(None)
    assert sum(read) == 2 * 65536


def _counting(read: list[int]) -> Callable[..., bytes]:
    def counted(chain: object, extent: object) -> bytes:
        data = read_extent(chain, extent)  # type: ignore[arg-type]
        read.append(len(data))
        return data

    return counted


def test_progress_is_told_where_it_is_asked_for(real_tool: Tool) -> None:
    Recipe(
        "", (f"{CREATE} a 64M", "qemu-io -c 'write 0 4M' -c 'write 20M 10M' a", "qemu-img convert -O raw a b")
    ).make(real_tool)
    mine = ours("compare", "-p", "a", "b")
    assert mine.out.startswith("    (0.00/100%)\r")
    assert "    (100.00/100%)\r\n" in mine.out
    assert mine.err == ours("compare", "a", "b").err == ""


def test_the_library_says_what_differs_and_where(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} a 1M", f"{CREATE} b 1M", "qemu-io -c 'write -P 9 70001 1' b")).make(real_tool)
    with open_chain(PosixFolder(folder), "a") as one, open_chain(PosixFolder(folder), "b") as other:
        assert compare(one, other) == Comparison(Difference.CONTENT, 70001 // 512 * 512)
        assert compare(one, other, strict=True) == Comparison(Difference.STATUS, 0)


@given(st.integers(1, 5000), st.data())
def test_the_first_sector_that_differs_is_found(length: int, data: st.DataObject) -> None:
    changed = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=5))
    other = bytearray(length)
    for offset in changed:
        other[offset] = 1
    assert first_difference(memoryview(bytes(length)), memoryview(other)) == min(changed) // 512 * 512
