"""`blockops img bench` sends what it says, and says what the real qemu-img bench says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.img.bench import Requests, bench
from blockops.img.opening import open_chain
from tests.img.corpus import CREATE, Recipe
from tests.img.tools import content, ours, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")


@pytest.mark.parametrize(
    "arguments",
    [
        "-c 20",
        "-c 0",
        "-c 20 -s 64k -S 4k -o 128k",
        "-c 9 -s 100k",
        "-q -c 3",
        "-w -c 20 -s 8192 -S 16384 -o 4096 --pattern 7 --flush-interval 2",
        "-w -c 7 -s 2k --pattern 255",
        "-U -c 5",
    ],
)
def test_the_words_and_the_bytes_are_those_of_the_real_tool(arguments: str, real_tool: Tool) -> None:
    for name in ("image", "theirs"):
        Recipe("", (f"{CREATE} {name} 1M", f"qemu-io -c 'write -P 1 0 300k' {name}")).make(real_tool)
    mine = ours("bench", *arguments.split(), "image")
    real = run(real_tool("qemu-img"), "bench", "-d", "1", *arguments.split(), "theirs")
    assert (mine.code, mine.err, real.code) == (0, "", 0)
    assert re.sub(r"\d+\.\d+", "T", mine.out) == re.sub(r"\d+\.\d+", "T", real.out)
    assert content(real_tool("qemu-img"), "image") == content(real_tool("qemu-img"), "theirs")


@pytest.mark.parametrize(
    "arguments",
    [
        "-c x image",
        "-c -1 image",
        "-d 0 image",
        "--pattern 256 image",
        "missing",
        "",
        "--flush-interval 2 image",
    ],
)
def test_what_cannot_be_sent_is_refused(arguments: str, folder: Path) -> None:
    ours("create", "-f", "qcow2", "image", "1M")
    mine = ours("bench", *arguments.split())
    assert mine.code == 1
    assert len(mine.err.splitlines()) == 1


def test_requests_stay_on_the_disk_and_time_is_the_clocks(folder: Path) -> None:
    ours("create", "-f", "qcow2", "image", "64k")
    ticks = iter([3.0, 10.5])
    with open_chain(PosixFolder(folder), "image") as chain:
        assert bench(chain, Requests(count=50, size=4096, step=5000), lambda: next(ticks)) == 7.5
        for wrong in (Requests(size=1 << 20), Requests(offset=65000), Requests(flush_interval=1)):
            with pytest.raises(InvalidRequest):
                bench(chain, wrong, lambda: 0.0)
