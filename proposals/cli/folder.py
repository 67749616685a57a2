"""Where the report goes: a folder that is tried before the run and filled in one go after it.

All files are written under other names and made durable first, then renamed: at no moment is a report
half there, and where the disk is full the report of the run before is untouched.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs

from blockops.errors import HostError
from blockops.host.api import write_fully
from blockops.host.posix import PosixFolder
from proposals.cli.exits import CannotWrite


@attrs.frozen
class OutputFolder:
    """A folder that exists and that a file could be created in; *made* are the folders made for it."""

    path: Path
    made: tuple[Path, ...]

    def write(self, files: Mapping[str, str]) -> None:
        """Put *files*, text by name, into the folder: all of them or, raising CannotWrite, none."""
        folder = PosixFolder(self.path)
        written: list[str] = []
        try:
            for name, text in files.items():
                written.append(_draft(name))
                _write_durably(folder, _draft(name), text.encode())
            for name in files:
                folder.rename(_draft(name), name)
            folder.sync()
        except HostError as error:
            _remove(folder, written)
            raise CannotWrite(f"the report cannot be written: {error}") from error

    def leave(self) -> None:
        """Take away again what was made for the folder, as far as it is empty."""
        for path in reversed(self.made):
            try:
                path.rmdir()
            except OSError:
                return


@contextmanager
def output_folder(path: Path) -> Iterator[OutputFolder]:
    """Make sure that *path* is a folder that can be written to; one that stays empty is taken away again.

    Raises CannotWrite with a sentence that names *path*.
    """
    folder = OutputFolder(path, tuple(_make(path)))
    try:
        _try_to_write(path)
        yield folder
    finally:
        folder.leave()


def _make(path: Path) -> list[Path]:
    """Make *path* and what is missing above it; return what was made, outermost first."""
    made: list[Path] = []
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            made.append(folder)
    except (OSError, ValueError) as error:
        OutputFolder(path, tuple(made)).leave()
        raise CannotWrite(f"{path}: cannot be made a folder: {_why(error)}") from error
    if not path.is_dir():
        raise CannotWrite(f"{path}: is not a folder")
    return made


def _try_to_write(path: Path) -> None:
    folder = PosixFolder(path)
    draft = _draft("try")
    try:
        _write_durably(folder, draft, b"blockops\n")
        folder.unlink(draft)
    except HostError as error:
        _remove(folder, [draft])
        raise CannotWrite(f"{path}: cannot be written to: {os.strerror(error.code)}") from error


def _write_durably(folder: PosixFolder, name: str, data: bytes) -> None:
    file = folder.create(name, replace=True)
    try:
        write_fully(file, 0, data)
        file.flush()
    finally:
        file.close()


def _remove(folder: PosixFolder, names: list[str]) -> None:
    for name in names:
        try:
            folder.unlink(name)
        except HostError:
            continue


def _draft(name: str) -> str:
    return f".{name}.{os.getpid()}.part"


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
