"""What every host must do, whoever implements or wraps it: each sentence of `blockops.host.api`, once.

To check an implementation, subclass `HostContract` in a test module and give it a fixture `host`: a
`Host` whose folder is empty but for the empty sub folder "sub".  A wrapper that makes transfers short
is welcome: nothing here expects more than the seam promises.
"""

import errno
from collections.abc import Callable

import attrs
import pytest

from blockops.errors import Effect, HostError
from blockops.host.api import HostFile, HostFolder, LockMode, read_exactly, write_fully


@attrs.frozen
class Host:
    """One host as two processes see it."""

    folder: HostFolder
    second: HostFolder


def code_of(call: Callable[[], object]) -> int:
    """Return the errno with which *call* fails."""
    with pytest.raises(HostError) as caught:
        call()
    return caught.value.code


def put(folder: HostFolder, name: str, data: bytes = b"") -> None:
    """Make the file *name* with this content."""
    file = folder.create(name, replace=True)
    write_fully(file, 0, data)
    file.close()


def content(folder: HostFolder, name: str) -> bytes:
    """Return all of the file *name*."""
    file = folder.open(name, writable=False)
    data = read_exactly(file, 0, file.size())
    file.close()
    return data


class HostContract:
    """The suite; `host` comes from the subclass."""

    @pytest.fixture
    def folder(self, host: Host) -> HostFolder:
        return host.folder

    @pytest.fixture
    def file(self, folder: HostFolder) -> HostFile:
        return folder.create("file", replace=False)

    # Files

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

    # Locks

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

    # Folders

    @pytest.mark.parametrize(
        "name",
        [
            "file",
            "./file",
            "sub/../file",
            "a/b/../../file",
            "//file/.",
            "file/",
            "/etc/../file",
            "",
            "..",
            "/",
        ],
    )
    def test_names_are_normalised_as_text(self, folder: HostFolder, name: str) -> None:
        path = folder.resolve(name)
        assert path.startswith("/")
        assert not path.startswith("//")
        assert folder.resolve(path) == path
        assert not {"", ".", ".."}.intersection(path[1:].split("/")) or path == "/"

    def test_a_relative_name_is_below_the_folder_and_an_absolute_one_is_not(self, folder: HostFolder) -> None:
        assert folder.resolve("a/b") == f"{folder.path}/a/b"
        assert folder.resolve("/a/b") == "/a/b"
        assert folder.resolve("") == folder.resolve(".") == folder.path

    def test_resolving_never_fails(self, folder: HostFolder) -> None:
        for name in ("a\0b", "x" * 9999, "\ud800"):
            assert folder.resolve(name) == f"{folder.path}/{name}"

    def test_a_created_file_is_empty_and_writable(self, folder: HostFolder) -> None:
        file = folder.create("new", replace=False)
        assert (file.size(), file.writable) == (0, True)
        write_fully(file, 0, b"abc")
        assert content(folder, "new") == b"abc"

    def test_create_without_replace_never_touches_what_is_there(self, folder: HostFolder) -> None:
        put(folder, "file", b"abc")
        assert code_of(lambda: folder.create("file", replace=False)) == errno.EEXIST
        assert code_of(lambda: folder.create("sub", replace=False)) == errno.EEXIST
        assert content(folder, "file") == b"abc"

    def test_create_with_replace_wipes_the_file_in_place(self, folder: HostFolder) -> None:
        put(folder, "file", b"abc")
        old = folder.open("file", writable=False)
        new = folder.create("file", replace=True)
        assert old.size() == new.size() == 0
        write_fully(new, 0, b"de")
        assert read_exactly(old, 0, 10) == b"de"

    def test_create_with_replace_creates_too(self, folder: HostFolder) -> None:
        assert folder.create("sub/new", replace=True).size() == 0
        assert folder.exists("sub/new")

    @pytest.mark.parametrize("writable", [False, True])
    def test_opening_creates_nothing(self, folder: HostFolder, writable: bool) -> None:
        assert code_of(lambda: folder.open("none", writable=writable)) == errno.ENOENT
        assert not folder.exists("none")

    @pytest.mark.parametrize("name", ["sub", ".", "", "..", "/"])
    def test_a_folder_is_no_file(self, folder: HostFolder, name: str) -> None:
        assert code_of(lambda: folder.open(name, writable=False)) == errno.EISDIR
        assert code_of(lambda: folder.open(name, writable=True)) == errno.EISDIR
        assert code_of(lambda: folder.create(name, replace=True)) == errno.EISDIR

    def test_a_file_is_no_folder(self, folder: HostFolder) -> None:
        put(folder, "file")
        for call in (
            lambda: folder.open("file/x", writable=False),
            lambda: folder.create("file/x", replace=False),
            lambda: folder.create("file/x/y", replace=True),
            lambda: folder.rename("file/x", "y"),
            lambda: folder.rename("file", "file/x"),
            lambda: folder.unlink("file/x"),
            lambda: folder.sync("file"),
        ):
            assert code_of(call) == errno.ENOTDIR

    def test_folders_are_not_made_by_the_way(self, folder: HostFolder) -> None:
        put(folder, "file")
        for call in (
            lambda: folder.create("none/x", replace=False),
            lambda: folder.create("none/x", replace=True),
            lambda: folder.rename("file", "none/x"),
            lambda: folder.sync("none"),
        ):
            assert code_of(call) == errno.ENOENT

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("a\0b", errno.EINVAL),
            ("\ud800", errno.EINVAL),
            ("x" * 256, errno.ENAMETOOLONG),
            ("é" * 128, errno.ENAMETOOLONG),
            ("x/" * 3000 + "x", errno.ENAMETOOLONG),
        ],
    )
    def test_names_that_cannot_be_are_refused(self, folder: HostFolder, name: str, code: int) -> None:
        put(folder, "file")
        for call in (
            lambda: folder.open(name, writable=False),
            lambda: folder.create(name, replace=True),
            lambda: folder.rename("file", name),
            lambda: folder.rename(name, "other"),
            lambda: folder.unlink(name),
            lambda: folder.exists(name),
        ):
            assert code_of(call) == code
        assert content(folder, "file") == b""

    @pytest.mark.parametrize("name", ["x" * 255, "ünïcode", "\udcff not utf-8", "a b\n'\"\\", "-rf", "~"])
    def test_any_other_name_is_a_name(self, folder: HostFolder, name: str) -> None:
        put(folder, name, b"abc")
        assert content(folder, name) == b"abc"
        assert folder.names() == [folder.resolve(name)]

    def test_rename_moves_the_file_and_its_handles_follow(self, folder: HostFolder, file: HostFile) -> None:
        folder.rename("file", "sub/moved")
        write_fully(file, 0, b"abc")
        assert not folder.exists("file")
        assert content(folder, "sub/moved") == b"abc"

    def test_rename_replaces_and_old_handles_keep_the_old_file(self, folder: HostFolder) -> None:
        put(folder, "old", b"old")
        put(folder, "new", b"new")
        handle = folder.open("old", writable=False)
        folder.rename("new", "old")
        assert content(folder, "old") == b"new"
        assert read_exactly(handle, 0, 3) == b"old"
        assert folder.names() == [folder.resolve("old")]

    def test_rename_onto_itself_changes_nothing(self, folder: HostFolder) -> None:
        put(folder, "file", b"abc")
        folder.rename("file", "./file")
        assert content(folder, "file") == b"abc"

    def test_rename_is_for_files(self, folder: HostFolder) -> None:
        put(folder, "file", b"abc")
        put(folder, "sub/file", b"abc")
        assert code_of(lambda: folder.rename("sub", "other")) == errno.EISDIR
        assert code_of(lambda: folder.rename("file", "sub")) == errno.EISDIR
        assert code_of(lambda: folder.rename("sub/file", "sub")) == errno.ENOTEMPTY
        assert code_of(lambda: folder.rename("none", "other")) == errno.ENOENT
        assert folder.names() == [folder.resolve("file"), folder.resolve("sub/file")]

    def test_unlink_takes_the_name_and_leaves_the_handles(self, folder: HostFolder, file: HostFile) -> None:
        write_fully(file, 0, b"abc")
        folder.unlink("file")
        assert not folder.exists("file")
        assert folder.names() == []
        write_fully(file, 3, b"def")
        file.flush()
        assert read_exactly(file, 0, 10) == b"abcdef"

    def test_a_name_can_be_used_again_while_its_old_file_lives(
        self, folder: HostFolder, file: HostFile
    ) -> None:
        write_fully(file, 0, b"old")
        folder.unlink("file")
        put(folder, "file", b"new")
        assert read_exactly(file, 0, 10) == b"old"
        assert content(folder, "file") == b"new"

    def test_unlink_is_for_files(self, folder: HostFolder) -> None:
        assert code_of(lambda: folder.unlink("none")) == errno.ENOENT
        assert code_of(lambda: folder.unlink("sub")) == errno.EISDIR
        assert folder.exists("sub")

    def test_exists_knows_files_and_folders(self, folder: HostFolder, file: HostFile) -> None:
        assert folder.exists("file")
        assert folder.exists(file.path)
        assert folder.exists("sub")
        assert folder.exists(".")
        assert not folder.exists("none")
        assert not folder.exists("none/x")
        assert not folder.exists("file/x")

    def test_names_are_absolute_sorted_and_only_files(self, folder: HostFolder) -> None:
        assert folder.names() == []
        for name in ("b", "sub/a", "a", "sub.a", "Z"):
            put(folder, name)
        assert list(folder.names()) == [folder.resolve(name) for name in ("Z", "a", "b", "sub.a", "sub/a")]

    def test_a_folder_can_be_synced(self, folder: HostFolder) -> None:
        put(folder, "sub/file", b"abc")
        folder.sync()
        folder.sync("sub")
        folder.sync(folder.path)
        assert content(folder, "sub/file") == b"abc"

    def test_another_process_sees_the_same_names_and_contents(self, host: Host) -> None:
        put(host.folder, "file", b"abc")
        assert content(host.second, "file") == b"abc"
        host.second.rename("file", "other")
        assert host.folder.names() == [host.folder.resolve("other")]

    def test_an_error_names_the_operation_and_the_absolute_path(self, folder: HostFolder) -> None:
        with pytest.raises(HostError) as caught:
            folder.open("none", writable=False)
        error = caught.value
        assert (error.operation, error.path) == ("open", folder.resolve("none"))
        assert error.effect is Effect.NONE
        assert str(error) == f"{folder.resolve('none')}: open: No such file or directory"
