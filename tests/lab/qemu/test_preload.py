"""What is loaded into QEMU against the lab's own wrapper: the same calls and faults, the same outcome."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blockops.errors import HostError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import HostFault, Span
from blockops.lab.faults.kinds import APPLIED_TO, KINDS_OF, Kind
from blockops.lab.faults.process import KilledAtOperation
from blockops.lab.hosts import Clock, FaultyFolder, ProcessKilled
from blockops.lab.qemu.clock import SharedClock
from blockops.lab.qemu.process import library, surroundings

pytestmark = pytest.mark.real_tool("cc")

CALLS = (
    "create",
    "write",
    "write",
    "flush",
    "truncate",
    "read",
    "write",
    "open",
    "read",
    "rename",
    "unlink",
    "create",
)
DATA = bytes(range(1, 251)) * 10

PROGRAM = """
import json, os, sys
data, fd, said = bytes(range(1, 251)) * 10, None, []
def create():
    global fd
    fd = os.open("/vm/a" if not said else "/vm/c", os.O_RDWR | os.O_CREAT | os.O_EXCL)
def open_again():
    global fd
    fd = os.open("/vm/a", os.O_RDWR)
calls = {
    "create": create, "open": open_again,
    "write": lambda: os.pwrite(fd, data, 700), "read": lambda: len(os.pread(fd, 900, 100)),
    "flush": lambda: os.fdatasync(fd), "truncate": lambda: os.ftruncate(fd, 1900),
    "rename": lambda: os.rename("/vm/a", "/vm/b"), "unlink": lambda: os.unlink("/vm/b"),
}
for name in json.loads(sys.argv[1]):
    try:
        said.append(calls[name]())
    except (OSError, TypeError) as error:
        said.append(f"errno {error.errno}" if isinstance(error, OSError) else "no handle")
    print(json.dumps(said[-1]), flush=True)
"""


def listed() -> Iterator[Fault]:
    """Every way in which each of the calls can fail; dropped pages are the lab's own idea."""
    for number, operation in enumerate(CALLS, 1):
        yield KilledAtOperation(number)
        for span in (Span.ONCE, Span.LASTING):
            yield from (
                HostFault(kind, number, span) for kind in KINDS_OF[operation] if kind is not Kind.DROPPED
            )
            if operation in APPLIED_TO:
                yield HostFault(Kind.EIO, number, span, applied=True)


def in_the_lab(fault: Fault) -> tuple[list[Any], list[int], dict[str, bytes]]:
    """What the calls return under the lab's wrapper, the operations that were hit, and the files."""
    disk, clock = MemoryDisk(), Clock(fault, running=True, actor="hypervisor")
    folder, said = FaultyFolder(MemoryFolder(disk), clock), list[Any]()
    hands: dict[str, Any] = {}

    def create() -> None:
        hands["file"] = folder.create("/vm/c" if said else "/vm/a", replace=False)

    def open_again() -> None:
        hands["file"] = folder.open("/vm/a", writable=True)

    calls: dict[str, Callable[[], Any]] = {
        "create": create,
        "open": open_again,
        "write": lambda: hands["file"].write(700, DATA),
        "read": lambda: len(hands["file"].read(100, 900)),
        "flush": lambda: hands["file"].flush(),  # noqa: PLW0108  there may be no file yet
        "truncate": lambda: hands["file"].truncate(1900),
        "rename": lambda: folder.rename("/vm/a", "/vm/b"),
        "unlink": lambda: folder.unlink("/vm/b"),
    }
    for name in CALLS:
        try:
            said.append(calls[name]())
        except HostError as error:
            said.append(f"errno {int(error.code)}")
        except KeyError:
            said.append("no handle")
        except ProcessKilled:
            break
    files = {name: disk.content("read", name).read(0, 10_000) for name in disk.names("/vm")}
    return said, [hit.number for hit in clock.hits], files


def in_a_program(fault: Fault, loaded: Path, root: Path) -> tuple[list[Any], list[int], dict[str, bytes]]:
    """The same of a real program into which the library was loaded."""
    (root / "vm").mkdir(parents=True)
    shared, clock = SharedClock.create(root / "clock"), Clock(fault, running=True, actor="hypervisor")
    shared.hand_over(clock)
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps(CALLS)]
    done = subprocess.run(
        command, env=surroundings(loaded, root, shared), capture_output=True, check=False, timeout=60
    )
    try:
        shared.take_back(clock, shared.done())
    except ProcessKilled:
        assert done.returncode == -signal.SIGKILL
    else:
        assert done.returncode == 0, done.stderr
    shared.close()
    said = [json.loads(line) for line in done.stdout.splitlines()]
    files = {f"/vm/{path.name}": path.read_bytes() for path in (root / "vm").iterdir()}
    return said, [hit.number for hit in clock.hits], files


def test_a_program_fails_as_the_lab_would_let_it_fail(tmp_path: Path) -> None:
    faults, loaded = list(listed()), library(tmp_path)
    assert len(faults) > 100
    for number, fault in enumerate(faults):
        assert in_a_program(fault, loaded, tmp_path / str(number)) == in_the_lab(fault), str(fault)


def test_where_nothing_breaks_every_call_is_counted_and_done(tmp_path: Path) -> None:
    said, hits, files = in_a_program(parse_fault("no-fault"), library(tmp_path), tmp_path / "a")
    assert said == [None, 2500, 2500, None, None, 900, 2500, None, 900, None, None, None]
    assert hits == []
    assert files == {"/vm/c": b""}


def test_a_clock_that_cannot_be_mapped_ends_the_program_at_once(tmp_path: Path) -> None:
    shared = SharedClock.create(tmp_path / "clock")
    env = surroundings(library(tmp_path), tmp_path, shared)
    (tmp_path / "clock").unlink()
    done = subprocess.run([sys.executable, "-c", ""], env=env, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (127, b"blockops: the clock cannot be mapped\n")
    shared.close()
