"""The marks on a host fault, at the seam: how long it lasts, after the effect, dropped pages, pairs."""

import contextlib
import errno
from collections.abc import Callable

import pytest

from blockops.errors import Effect, HostError
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.host.api import HostFile, HostFolder
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.faults import parse_fault
from blockops.lab.faults.kinds import APPLIED_TO
from blockops.lab.faults.pace import NoFault
from blockops.lab.hosts import Clock, FaultyFile, FaultyFolder
from blockops.lab.images import image_facts
from blockops.lab.results import Verdict
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host, code_of, content, put
from tests.lab.cases import seen, verdicts
from tests.lab.test_faults import WHO_CAN

DONE: dict[str, Callable[[HostFolder], bool]] = {
    "create": lambda folder: content(folder, "new") == b"",
    "write": lambda folder: content(folder, "file") == b"x" + b"a" * 1023,
    "truncate": lambda folder: content(folder, "file") == b"a",
    "flush": lambda folder: True,
    "rename": lambda folder: list(folder.names()) == ["/vm/other"],
    "unlink": lambda folder: list(folder.names()) == [],
    "sync": lambda folder: True,
}
"""What one sees of each operation that has had its effect."""


def scene(name: str) -> tuple[FaultyFolder, FaultyFile, Clock]:
    """A folder with one file of two sectors, flushed and open for writing; the next operation is number 1."""
    clock = Clock(parse_fault(name))
    folder = FaultyFolder(MemoryFolder(MemoryDisk()), clock)
    put(folder, "file", b"a" * 1024)
    file = folder.open("file", writable=True)
    file.flush()
    clock.running = True
    return folder, file, clock


# -------------------------------------------------------------------------------------- after the effect


@pytest.mark.parametrize("operation", DONE)
def test_after_the_effect_the_operation_has_happened_and_fails_all_the_same(operation: str) -> None:
    folder, file, clock = scene("eio!@1")
    with pytest.raises(HostError) as caught:
        WHO_CAN[operation](folder, file)
    assert (caught.value.code, caught.value.effect) == (errno.EIO, Effect.UNKNOWN)
    clock.disarm()
    assert DONE[operation](folder)


def test_whoever_created_a_file_and_was_told_an_error_holds_nothing_open() -> None:
    folder, file, _ = scene("eio!@1")
    with pytest.raises(HostError):
        folder.create("new", replace=False)
    assert folder.inner.handles == (file.inner,)


def test_there_is_nothing_after_the_effect_of_a_read_or_an_open() -> None:
    assert set(WHO_CAN) - APPLIED_TO == {"open", "read"}
    for operation in ("open", "read"):
        folder, file, clock = scene("eio!@1")
        WHO_CAN[operation](folder, file)
        assert clock.hits == []


# --------------------------------------------------------------------------------------- until cleared


@pytest.mark.parametrize(("mark", "before", "after"), [("", 0, 0), ("~", 1, 0), ("+", 1, 1)])
def test_trouble_lasts_until_it_is_cleared_or_for_ever_or_not_at_all(
    mark: str, before: int, after: int
) -> None:
    _, file, clock = scene(f"eio{mark}@1")
    with pytest.raises(HostError):
        file.write(0, b"x")
    assert fails(file) == bool(before)
    clock.clear()
    assert fails(file) == bool(after)
    assert len(clock.hits) == 1 + before + after


def test_what_has_not_begun_cannot_be_cleared() -> None:
    _, file, clock = scene("eio~@2")
    file.write(0, b"x")
    clock.clear()
    assert [fails(file), fails(file)] == [True, True]


def fails(file: HostFile) -> bool:
    try:
        file.write(0, b"x")
    except HostError:
        return True
    return False


def test_what_a_fault_would_have_met_is_known_before_and_after_it_is_cleared() -> None:
    _, file, clock = scene("eio@1")
    (trouble,) = clock.troubles
    assert fails(file)
    clock.clear()
    assert (trouble.again, trouble.within) == (set(), set())
    file.write(0, b"x")
    assert (trouble.again, trouble.within) == ({"one file", "full"}, set())


def test_a_command_that_was_answered_has_cleared_what_struck_it() -> None:
    name = "group-snapshot.hardened.naive/group-snapshot-2/enospc{}@21"
    cleared, lasting = seen(name.format("~")), seen(name.format("+"))
    assert cleared.hits == lasting.hits[: len(cleared.hits)]
    assert 1 < len(cleared.hits) < len(lasting.hits)
    assert [evidence.troubles[0].beyond for evidence in (cleared, lasting)] == [False, True]


def test_a_second_attempt_after_the_trouble_was_cleared_is_judged() -> None:
    """With a lasting fault the second attempt meets the trouble again, and says nothing."""
    name = "group-snapshot.hardened.naive/retry-2/enospc{}@5"
    assert verdicts(name.format("~"))["repeatable"].verdict is Verdict.HELD
    assert verdicts(name.format("+"))["repeatable"].verdict is Verdict.NOT_EXERCISED


# ---------------------------------------------------------------------------------------- dropped pages


class TestHostThatCouldDropPages(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        clock = Clock(parse_fault("dropped@999999"), running=True)
        return Host(FaultyFolder(MemoryFolder(disk), clock), FaultyFolder(MemoryFolder(disk), clock))


def drop(file: HostFile) -> None:
    assert code_of(file.flush) == errno.EIO


def test_a_dropped_flush_loses_what_was_written_since_the_last_good_one_and_then_succeeds() -> None:
    folder, file, clock = scene("dropped@4")
    file.write(0, b"b" * 512)
    file.flush()
    file.write(256, b"c" * 512)
    drop(file)
    assert content(folder, "file") == b"b" * 512 + b"a" * 512
    file.flush()
    assert content(folder, "file") == b"b" * 512 + b"a" * 512
    assert clock.pages is not None
    assert list(clock.pages.orphaned) == []


def test_what_grew_the_file_reads_as_zeroes_and_the_size_stays() -> None:
    folder, file, _ = scene("dropped@2")
    file.write(2000, b"d" * 48)
    drop(file)
    assert content(folder, "file") == b"a" * 1024 + bytes(1024)


def test_what_was_cut_off_does_not_come_back() -> None:
    folder, file, _ = scene("dropped@4")
    file.write(0, b"b")
    file.truncate(10)
    file.truncate(20)
    drop(file)
    assert content(folder, "file") == b"a" * 10 + bytes(10)


def test_a_file_that_was_wiped_stays_so() -> None:
    folder, file, _ = scene("dropped@4")
    file.write(0, b"b")
    folder.create("file", replace=True).write(5, b"c")
    drop(file)
    assert content(folder, "file") == bytes(6)


def test_a_volume_keeps_what_is_on_it_when_it_is_cut_or_created_again() -> None:
    disk = MemoryDisk()
    disk.make_volume("/vm/volume", 8192, b"o" * 4096)
    clock = Clock(parse_fault("dropped@5"), running=True)
    folder = FaultyFolder(MemoryFolder(disk), clock)
    file = folder.open("volume", writable=True)
    file.write(0, b"new")
    file.truncate(10)
    file = folder.create("volume", replace=True)
    drop(file)
    assert content(folder, "volume") == b"o" * 8192


def test_other_files_keep_what_they_have() -> None:
    folder, file, _ = scene("dropped@3")
    put(folder, "other", b"x" * 5000)
    drop(file)
    assert content(folder, "other") == b"x" * 5000


def test_a_flush_through_one_handle_is_everybody_s_and_so_is_a_loss() -> None:
    folder, file, clock = scene("dropped@5")
    other = folder.open("file", writable=True)
    other.write(0, b"b")
    file.flush()
    other.write(1, b"c")
    drop(file)
    assert content(folder, "file")[:3] == b"baa"
    assert clock.pages is not None
    assert list(clock.pages.orphaned) == ["/vm/file"]


def test_a_renamed_file_loses_its_pages_under_its_new_name() -> None:
    folder, file, _ = scene("dropped@3")
    file.write(0, b"b")
    folder.rename("file", "moved")
    drop(file)
    assert content(folder, "moved") == b"a" * 1024


def test_where_nothing_can_be_dropped_nobody_keeps_count() -> None:
    assert Clock(NoFault()).pages is None
    assert Clock(parse_fault("eio@1")).pages is None


# ------------------------------------------------------------------- the core, on a host that drops pages


def image(clock: Clock, disk: MemoryDisk) -> ImageNode:
    return open_node(Graph(), FaultyFolder(MemoryFolder(disk), clock), "image", "qcow2", Opening())


@pytest.mark.parametrize(
    "name", ["dropped@{0}", "dropped~@{0}", "dropped+@{0}", "dropped@{0},eio@{1}", "dropped@{0},eio+@{1}"]
)
def test_an_image_survives_every_dropped_flush(name: str) -> None:
    """lab.md: the core must re-dirty and rewrite what it cannot know to be on disk; that may fail, too."""
    base = MemoryDisk()
    create_image(MemoryFolder(base), NewImage("image", "qcow2", 65536, cluster_size=512), durable=True)
    struck = 0
    for number in range(1, 120):
        disk, clock = base.fork(), Clock(parse_fault(name.format(number, number + 1)))
        node = image(clock, disk)
        clock.running = True
        written = [turn for turn in range(6) if acknowledged(clock, node, turn)]
        clock.disarm()
        node.flush()
        node.close()
        facts = image_facts(disk, "/vm/image")
        assert facts is not None
        assert (facts.corruptions, facts.leaks) == ((), 0)
        again = open_node(Graph(), MemoryFolder(disk), "image", "qcow2", Opening(writable=False))
        assert all(again.read(turn * 5000, 3000) == bytes([turn + 1]) * 3000 for turn in written)
        struck += bool(clock.hits)
    assert struck > 8


def acknowledged(clock: Clock, node: ImageNode, turn: int) -> bool:
    """Write, overwrite a part, flush; what was acknowledged is read back, whatever the flush said."""
    try:
        node.write(turn * 5000, b"?" * 3000)
        node.write(turn * 5000 + 1000, bytes([turn + 1]) * 2000)
        node.write(turn * 5000, bytes([turn + 1]) * 1000)
    except HostError:
        return False
    with contextlib.suppress(HostError):
        node.flush()
    running, clock.running = clock.running, False  # reading is not what is broken here
    assert node.read(turn * 5000, 3000) == bytes([turn + 1]) * 3000
    clock.running = running
    return True


# ----------------------------------------------------------------------------------------------- pairs


def test_of_a_pair_each_strikes_at_its_own_number() -> None:
    _, file, clock = scene("eio@1,enospc+@3")
    assert [fails(file) for _ in range(5)] == [True, False, True, True, True]
    assert [hit.code for hit in clock.hits] == [errno.EIO, *[errno.ENOSPC] * 3]


def test_a_second_fault_that_meets_no_operation_has_not_struck() -> None:
    _, file, clock = scene("eio@1,torn@2")
    assert fails(file)
    file.flush()
    assert [trouble.first is not None for trouble in clock.troubles] == [True, False]


def test_an_attempt_that_meets_the_trouble_again_before_its_first_repeated_request_says_nothing() -> None:
    """The abort after the failed commit is refused, and again in the second attempt, which failed before."""
    found = verdicts("transaction.hardened.careful/retry-2/eio+@43")["repeatable"]
    assert found.verdict is Verdict.NOT_EXERCISED
