"""What every `HostFolder` must do: names, creating, renaming, removing, listing."""

import errno

import pytest

from blockops.errors import Effect, HostError
from blockops.host.api import HostFile, HostFolder, read_exactly, write_fully
from tests.contracts.host_world import Host, HostFixtures, code_of, content, put


class FolderContract(HostFixtures):
    """Names, and the files that they lead to."""

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
