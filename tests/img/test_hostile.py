"""No image, however broken, gets more out of a verb than one sentence, a little time and a little memory."""

import errno
import os
import random
import resource
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.img.corpus import CREATE, SNAPSHOT, WORK, Recipe
from tests.img.tools import done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

READING = (
    "info image",
    "info --backing-chain image",
    "check image",
    "map --output json image",
    "compare image image",
    "convert -O raw image copy",
    "convert -O qcow2 image copy",
    "convert -O qcow2 -B base -F qcow2 image copy",
    "snapshot -l image",
    "bench -c 5 image",
)
WRITING = (
    "resize image +1M",
    "resize --shrink image 100k",
    "rebase -b base -F qcow2 image",
    "rebase -b '' image",
    "rebase -u -b base -F qcow2 image",
    "commit image",
    "commit -d image",
    "check -r leaks image",
    "check -r all image",
    "snapshot -c new image",
    "snapshot -a 1 image",
    "snapshot -d s image",
    "bench -w -c 5 image",
)


@contextmanager
def no_effort() -> Iterator[None]:
    """Assert that the block took a few seconds and a few megabytes at most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 20


def words(command: str) -> list[str]:
    return [word.strip("'") for word in command.split()]


def ends_in_order(command: str) -> int:
    """Run our tool; assert that a failure is one sentence; return the exit code."""
    mine = ours(*words(command))
    said = [
        line
        for line in mine.err.splitlines()
        if not line.startswith(("corruption: ", "leak: ", "not repaired: "))
    ]
    assert mine.code in (0, 1, 2, 3, 4), (command, mine)
    finding = command.startswith(("check", "compare"))
    assert len(said) == (0 if mine.code == 0 or (finding and not said) else 1), (command, mine)
    assert not Path("copy.unfinished").exists()
    return mine.code


def ruined(image: bytes, chance: random.Random) -> bytes:
    """An image with a few bytes of its metadata changed, or cut off."""
    found = bytearray(image)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.choice((chance.randrange(120), chance.randrange(len(found))))
        found[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(found[: chance.randrange(len(found))]) if chance.random() < 0.1 else bytes(found)


@pytest.mark.parametrize("seed", range(12))
def test_a_ruined_image_ends_every_verb_in_order(seed: int, real_tool: Tool) -> None:
    options = ("cluster_size=512", "cluster_size=1k,compat=0.10", "extended_l2=on,cluster_size=16k")[seed % 3]
    Recipe(
        "",
        (f"{CREATE} base 640k", f"{CREATE} -o {options} -b base -F qcow2 image", WORK, f"{SNAPSHOT} s image"),
    ).make(real_tool)
    sound, chance = Path("image").read_bytes(), random.Random(seed)
    for command in (*READING, *WRITING):
        Path("image").write_bytes(ruined(sound[: 16 << 10] if seed % 2 else sound, chance))
        with no_effort():
            ends_in_order(command)


@pytest.mark.parametrize("command", WRITING)
def test_nothing_is_written_to_an_image_that_is_marked_corrupt(command: str, real_tool: Tool) -> None:
    if "check" in command:
        return
    Recipe("", (f"{CREATE} base 640k", f"{CREATE} -b base -F qcow2 image", WORK, f"{SNAPSHOT} s image")).make(
        real_tool
    )
    content = bytearray(Path("image").read_bytes())
    content[79] |= 2
    Path("image").write_bytes(content)
    base = Path("base").read_bytes()
    if command == "commit -d image":  # which writes to the other image only
        return
    refused(ours(*words(command)), 1, "image", "corrupt" if "commit" not in command else "image")
    assert Path("image").read_bytes() == content
    assert Path("base").read_bytes() == base


@pytest.mark.parametrize("command", [*READING[2:], *WRITING])
def test_a_chain_that_bites_its_tail_is_refused(command: str, real_tool: Tool) -> None:
    Recipe(
        "",
        (
            f"{CREATE} base 1M",
            f"{CREATE} -b base -F qcow2 image",
            "qemu-img rebase -u -b image -F qcow2 base",
        ),
    ).make(real_tool)
    if "-u" in command:
        return
    refused(ours(*words(command)), 2 if "compare" in command else 1, "loop")


@pytest.mark.parametrize("command", [*READING, *WRITING])
def test_what_may_not_be_opened_is_said_to_be_so(command: str, real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image")).make(real_tool)
    (folder / "image").chmod(0)
    with nobody():
        mine = ours(*words(command))
    refused(mine, 2 if "compare" in command else 1, "image", os.strerror(errno.EACCES))


@contextmanager
def nobody() -> Iterator[None]:
    """Be somebody who may not do everything for as long as the block runs."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_table_of_a_million_entries_in_a_small_file_costs_nothing(real_tool: Tool) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "2P")
    shutil.copy("image", "base")
    os.truncate("image", 1 << 20)
    for command in (
        "info image",
        "check image",
        "map image",
        "convert -O raw image copy",
        "resize image +1M",
    ):
        with no_effort():
            assert ends_in_order(command) == 1
    assert run(real_tool("qemu-img"), "info", "base").code == 0
