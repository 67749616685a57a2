"""What every `HostFile` must do: reading, writing, sizes, handles and locks."""

import errno
from collections.abc import Callable

import pytest

from blockops.errors import Effect, HostError
from blockops.host.api import HostFile, HostFolder, LockMode, read_exactly, write_fully
from tests.contracts.host_world import Host, HostFixtures, code_of, put


class FileContract(HostFixtures):
    """Reading, writing, sizes and handles."""

    def test_what_is_written_is_read_back(self, file: HostFile) -> None:
        write_fully(file, 3, b"abcdef")
        assert read_exactly(file, 0, 100) == b"\0\0\0abcdef"

    @pytest.mark.parametrize("offset", [0, 1, 511, 512, 4095, 4096, 65535, 100_000])
    @pytest.mark.parametrize("length", [1, 8, 512, 4096, 4097, 8192, 70_000])
    def test_transfers_at_any_alignment_touch_nothing_else(
        self, file: HostFile, offset: int, length: int
    ) -> None:
        before = bytes(i % 251 for i in range(180_000))
        write_fully(file, 0, before)
        new = bytes(i % 241 for i in range(length))
        write_fully(file, offset, new)
        assert read_exactly(file, offset, length) == new
        after = before[:offset] + new + before[offset + length :]
        assert read_exactly(file, 0, len(after) + 1) == after

    @pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
    @pytest.mark.parametrize("length", [5, 4096, 10_000])
    def test_data_is_copied_whatever_buffer_it_comes_in(
        self, file: HostFile, wrap: Callable[[bytearray], bytes | bytearray | memoryview], length: int
    ) -> None:
        buffer = bytearray(b"x" * length)
        write_fully(file, 0, wrap(buffer))
        buffer[:] = b"y" * length
        assert read_exactly(file, 0, length) == b"x" * length

    def test_a_write_reports_a_prefix_of_at_least_one_byte(self, file: HostFile) -> None:
        done = file.write(0, b"abc")
        assert 1 <= done <= 3
        assert read_exactly(file, 0, 3) == b"abc"[:done]

    def test_a_write_of_nothing_does_nothing(self, file: HostFile) -> None:
        assert file.write(1000, b"") == 0
        assert file.size() == 0

    def test_a_read_returns_at_most_what_was_asked_for(self, file: HostFile) -> None:
        write_fully(file, 0, b"abcdef")
        assert b"abcdef"[1:4].startswith(file.read(1, 3))
        assert file.read(1, 3)

    @pytest.mark.parametrize("offset", [6, 7, 4096, 2**40])
    def test_no_bytes_mean_end_of_file(self, file: HostFile, offset: int) -> None:
        write_fully(file, 0, b"abcdef")
        assert file.read(offset, 10) == b""

    def test_a_read_of_nothing_is_empty(self, file: HostFile) -> None:
        write_fully(file, 0, b"abcdef")
        assert file.read(2, 0) == b""

    def test_a_read_is_cut_at_end_of_file(self, file: HostFile) -> None:
        write_fully(file, 0, b"a" * 5000)
        assert read_exactly(file, 4000, 2**40) == b"a" * 1000

    def test_truncate_shrinks(self, file: HostFile) -> None:
        write_fully(file, 0, b"abcdef")
        file.truncate(4)
        assert (file.size(), read_exactly(file, 0, 10)) == (4, b"abcd")

    @pytest.mark.parametrize("cut", [0, 1, 4095, 4096, 4097, 9000])
    def test_bytes_that_a_truncate_makes_new_are_zero(self, file: HostFile, cut: int) -> None:
        write_fully(file, 0, b"a" * 10_000)
        file.truncate(cut)
        file.truncate(20_000)
        assert read_exactly(file, 0, 30_000) == b"a" * cut + bytes(20_000 - cut)

    def test_a_write_beyond_the_end_leaves_zeroes_between(self, file: HostFile) -> None:
        write_fully(file, 0, b"a" * 5000)
        file.truncate(10)
        write_fully(file, 9000, b"b")
        assert read_exactly(file, 0, 10_000) == b"a" * 10 + bytes(8990) + b"b"

    def test_a_file_may_be_far_larger_than_what_is_in_it(self, file: HostFile) -> None:
        write_fully(file, 2**36, b"end")
        assert file.size() == 2**36 + 3
        assert read_exactly(file, 2**36 - 2, 100) == b"\0\0end"

    def test_two_handles_see_one_file(self, folder: HostFolder, file: HostFile) -> None:
        other = folder.open("file", writable=True)
        write_fully(other, 0, b"abc")
        assert read_exactly(file, 0, 3) == b"abc"
        file.truncate(1)
        assert other.size() == 1

    def test_a_flush_keeps_the_content(self, file: HostFile) -> None:
        write_fully(file, 0, b"abc")
        file.flush()
        assert read_exactly(file, 0, 3) == b"abc"

    def test_a_file_knows_its_absolute_name_and_mode(self, folder: HostFolder, file: HostFile) -> None:
        reader = folder.open("./sub/../file", writable=False)
        assert (file.path, file.writable) == (folder.resolve("file"), True)
        assert (reader.path, reader.writable) == (folder.resolve("file"), False)

    def test_closing_twice_is_harmless(self, file: HostFile) -> None:
        file.close()
        file.close()

    @pytest.mark.parametrize(
        "use",
        [
            lambda file: file.read(0, 1),
            lambda file: file.write(0, b"x"),
            lambda file: file.truncate(0),
            lambda file: file.size(),
            lambda file: file.flush(),
            lambda file: file.lock(LockMode.SHARED),
        ],
        ids=["read", "write", "truncate", "size", "flush", "lock"],
    )
    def test_a_closed_file_is_a_bad_descriptor(
        self, file: HostFile, use: Callable[[HostFile], object]
    ) -> None:
        file.close()
        assert code_of(lambda: use(file)) == errno.EBADF

    @pytest.mark.parametrize(
        "change", [lambda file: file.write(0, b"x"), lambda file: file.truncate(0)], ids=["write", "truncate"]
    )
    def test_a_handle_for_reading_changes_nothing(
        self, folder: HostFolder, change: Callable[[HostFile], object]
    ) -> None:
        put(folder, "file", b"abc")
        file = folder.open("file", writable=False)
        assert code_of(lambda: change(file)) == errno.EBADF
        assert read_exactly(file, 0, 10) == b"abc"

    @pytest.mark.parametrize(
        "call",
        [
            lambda file: file.read(-1, 1),
            lambda file: file.read(0, -1),
            lambda file: file.read(2**63, 1),
            lambda file: file.read(2**64 - 1, 1),
            lambda file: file.write(-1, b"x"),
            lambda file: file.write(2**63, b"x"),
            lambda file: file.write(2**63 - 1, b"x"),
            lambda file: file.truncate(-1),
            lambda file: file.truncate(2**63),
        ],
    )
    def test_numbers_that_are_no_offset_are_invalid(
        self, file: HostFile, call: Callable[[HostFile], object]
    ) -> None:
        write_fully(file, 0, b"abc")
        assert code_of(lambda: call(file)) == errno.EINVAL
        assert read_exactly(file, 0, 10) == b"abc"

    def test_a_refusal_has_no_effect_and_says_where(self, file: HostFile) -> None:
        file.close()
        with pytest.raises(HostError) as caught:
            file.write(512, b"x")
        error = caught.value
        assert (error.operation, error.path, error.offset) == ("write", file.path, 512)
        assert error.effect is Effect.NONE


class LockContract(HostFixtures):
    """Whole-file locks."""

    @pytest.mark.parametrize(
        ("first", "second", "works"),
        [
            (LockMode.SHARED, LockMode.SHARED, True),
            (LockMode.SHARED, LockMode.EXCLUSIVE, False),
            (LockMode.EXCLUSIVE, LockMode.SHARED, False),
            (LockMode.EXCLUSIVE, LockMode.EXCLUSIVE, False),
        ],
    )
    def test_only_shared_locks_go_together(
        self, host: Host, file: HostFile, first: LockMode, second: LockMode, works: bool
    ) -> None:
        for folder in (host.folder, host.second):
            other = folder.open("file", writable=True)
            file.lock(first)
            if works:
                other.lock(second)
            else:
                assert code_of(lambda other=other: other.lock(second)) == errno.EAGAIN  # type: ignore[misc]
            other.close()

    def test_closing_gives_the_lock_back(self, folder: HostFolder, file: HostFile) -> None:
        other = folder.open("file", writable=True)
        file.lock(LockMode.EXCLUSIVE)
        file.close()
        other.lock(LockMode.EXCLUSIVE)

    def test_closing_another_handle_keeps_the_lock(self, folder: HostFolder, file: HostFile) -> None:
        other, third = (folder.open("file", writable=True) for _ in range(2))
        file.lock(LockMode.EXCLUSIVE)
        other.close()
        assert code_of(lambda: third.lock(LockMode.SHARED)) == errno.EAGAIN

    def test_a_lock_may_be_taken_again_and_swapped(self, folder: HostFolder, file: HostFile) -> None:
        other = folder.open("file", writable=False)
        file.lock(LockMode.EXCLUSIVE)
        file.lock(LockMode.EXCLUSIVE)
        file.lock(LockMode.SHARED)
        other.lock(LockMode.SHARED)

    def test_a_refused_swap_keeps_the_lock_that_was_held(self, folder: HostFolder, file: HostFile) -> None:
        other, third = (folder.open("file", writable=True) for _ in range(2))
        file.lock(LockMode.SHARED)
        other.lock(LockMode.SHARED)
        assert code_of(lambda: file.lock(LockMode.EXCLUSIVE)) == errno.EAGAIN
        other.close()
        assert code_of(lambda: third.lock(LockMode.EXCLUSIVE)) == errno.EAGAIN

    def test_a_lock_is_the_file_s_not_the_name_s(self, folder: HostFolder, file: HostFile) -> None:
        file.lock(LockMode.EXCLUSIVE)
        folder.rename("file", "moved")
        moved = folder.open("moved", writable=True)
        assert code_of(lambda: moved.lock(LockMode.SHARED)) == errno.EAGAIN
        folder.create("file", replace=False).lock(LockMode.EXCLUSIVE)

    def test_a_lock_does_not_stop_others_from_reading_or_writing(
        self, folder: HostFolder, file: HostFile
    ) -> None:
        file.lock(LockMode.EXCLUSIVE)
        put(folder, "file", b"abc")
        assert read_exactly(file, 0, 10) == b"abc"
