"""Whatever one does, the host in memory answers as the real one: the same results, the same errnos."""

import tempfile
from collections.abc import Callable
from functools import partial

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from blockops.errors import HostError
from blockops.host.api import HostFile, HostFolder, LockMode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.posix import PosixFolder

NAMES = st.sampled_from(
    ["a", "b", "c", "sub/a", "sub/b", "sub", ".", "", "a/x", "a/../b", "none/x", "sub/sub/../a", "é" * 128]
)
OFFSETS = st.one_of(
    st.integers(-2, 20_000),
    st.sampled_from([0, 1, 4095, 4096, 4097, 8192, 2**32, 2**63 - 1, 2**63, 2**64]),
)
LENGTHS = st.one_of(st.integers(-1, 20_000), st.sampled_from([0, 1, 512, 4096, 8192]))
# A file system's own limit for sizes differs; up to here all agree.
SIZES = st.one_of(st.integers(-2, 40_000), st.sampled_from([4096, 8192, 2**32, 2**63, 2**64]))


@attrs.frozen(eq=False)
class Both:
    """The same handle on both hosts."""

    real: HostFile
    memory: HostFile


@attrs.frozen
class Failed:
    """How a call failed, in words that do not depend on where the folder is."""

    operation: str
    name: str
    code: int
    offset: int | None
    effect: str


def outcome(folder: HostFolder, call: Callable[[], object]) -> object:
    """Return what *call* returns, or how it fails."""
    try:
        return call()
    except HostError as error:
        name = error.path.removeprefix(folder.path)
        return Failed(error.operation, name, error.code, error.offset, error.effect.value)


class SameOnBoth(RuleBasedStateMachine):
    """Every rule does one thing on both hosts and compares."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.real = PosixFolder(self.place.name)
        self.memory = MemoryFolder(MemoryDisk())
        self.opened: list[HostFile] = []
        self.real.make_folder("sub")
        self.memory.make_folder("sub")

    def teardown(self) -> None:
        for file in self.opened:
            file.close()
        self.place.cleanup()

    def compare(self, on_real: Callable[[], object], on_memory: Callable[[], object]) -> object:
        real, memory = outcome(self.real, on_real), outcome(self.memory, on_memory)
        assert real == memory
        return real

    def both(self, call: Callable[[HostFolder], object]) -> object:
        return self.compare(lambda: call(self.real), lambda: call(self.memory))

    def handle(self, call: Callable[[HostFolder], HostFile]) -> list[Both]:
        made: list[HostFile] = []

        def make(folder: HostFolder) -> tuple[str, bool, int]:
            file = call(folder)
            made.append(file)
            return file.path.removeprefix(folder.path), file.writable, file.size()

        self.both(make)
        self.opened += made
        return [Both(*made)] if made else []

    @rule(target=handles, name=NAMES, writable=st.booleans())
    def open(self, name: str, writable: bool) -> list[Both]:
        return self.handle(lambda folder: folder.open(name, writable=writable))

    @rule(target=handles, name=NAMES, replace=st.booleans())
    def create(self, name: str, replace: bool) -> list[Both]:
        return self.handle(lambda folder: folder.create(name, replace=replace))

    def on_handle(self, both: list[Both], call: Callable[[HostFile], object]) -> None:
        for each in both:
            self.compare(partial(call, each.real), partial(call, each.memory))

    @rule(both=handles, offset=OFFSETS, length=LENGTHS)
    def read(self, both: list[Both], offset: int, length: int) -> None:
        self.on_handle(both, lambda file: file.read(offset, length))

    @rule(both=handles, offset=OFFSETS, length=LENGTHS.map(abs), fill=st.integers(0, 255))
    def write(self, both: list[Both], offset: int, length: int, fill: int) -> None:
        # Hardly any file system takes a file of 8 EiB, and how one says so differs.
        if offset + length <= 2**33 or offset >= 2**63:
            self.on_handle(both, lambda file: file.write(offset, bytes([fill]) * length))

    @rule(both=handles, size=SIZES)
    def truncate(self, both: list[Both], size: int) -> None:
        self.on_handle(both, lambda file: file.truncate(size))

    @rule(both=handles)
    def measure(self, both: list[Both]) -> None:
        self.on_handle(both, lambda file: file.size())

    @rule(both=handles)
    def flush(self, both: list[Both]) -> None:
        self.on_handle(both, lambda file: file.flush())

    @rule(both=handles, mode=st.sampled_from(LockMode))
    def lock(self, both: list[Both], mode: LockMode) -> None:
        self.on_handle(both, lambda file: file.lock(mode))

    @rule(both=handles)
    def close(self, both: list[Both]) -> None:
        self.on_handle(both, lambda file: file.close())

    @rule(both=consumes(handles))
    def close_and_forget(self, both: list[Both]) -> None:
        self.on_handle(both, lambda file: file.close())

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        self.both(lambda folder: folder.rename(old, new))

    @rule(name=NAMES)
    def unlink(self, name: str) -> None:
        self.both(lambda folder: folder.unlink(name))

    @rule(name=NAMES)
    def exists(self, name: str) -> None:
        self.both(lambda folder: folder.exists(name))

    @rule(name=NAMES)
    def sync(self, name: str) -> None:
        self.both(lambda folder: folder.sync(name))

    @rule()
    def fork(self) -> None:
        """A fork is the same disk: handles die with the old one, as they do on the real host."""
        for file in self.opened:
            file.close()
        self.memory = MemoryFolder(self.memory.disk.fork())

    @invariant()
    def the_same_names(self) -> None:
        self.both(lambda folder: [name.removeprefix(folder.path) for name in folder.names()])

    @invariant()
    def the_same_contents(self) -> None:
        for path in self.memory.names():
            self.both(partial(contents, path.removeprefix("/vm/")))


def contents(name: str, folder: HostFolder) -> tuple[int, bytes]:
    """Return the size and the first bytes of a file; only the first, for it may be 4 GiB of holes."""
    file = folder.open(name, writable=False)
    try:
        return file.size(), file.read(0, 100_000)
    finally:
        file.close()


TestSameOnBoth = SameOnBoth.TestCase
