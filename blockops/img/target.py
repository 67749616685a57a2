"""A file that has its name when it is finished, and not before.

What is written goes to "NAME.unfinished" beside it, which replaces whatever had the name in one step.  Where
that fails, or somebody interrupts it, the file is removed and what had the name is as it was; a killed
process leaves a file whose name says what it is, and which the next one takes over.  So nothing half done
ever looks whole, and no image is lost to a failure (docs/decisions/0009-a-new-image-gets-its-name-last.md).
"""

import contextlib
from collections.abc import Iterator

from blockops.errors import BlockError, HostError
from blockops.host.api import LockMode
from blockops.host.posix import PosixFile, PosixFolder

SUFFIX = ".unfinished"


@contextlib.contextmanager
def new_file(folder: PosixFolder, name: str) -> Iterator[PosixFile]:
    """Yield an empty file that is called *name* once the block has ended well; links are followed.

    A file that is replaced must be free, and its permissions go on.  Raises `HostError`.
    """
    path = folder.follow(name)
    with _replaced(folder, path) as old, _named_last(folder, path, old) as file:
        yield file


@contextlib.contextmanager
def replacing(folder: PosixFolder, name: str) -> Iterator[PosixFile]:
    """Yield what takes the place of *name*, as `new_file`, for somebody who holds the old file's lock."""
    path = folder.follow(name)
    old = folder.open(path, writable=True)
    try:
        with _named_last(folder, path, old) as file:
            yield file
    finally:
        old.close()


@contextlib.contextmanager
def _named_last(folder: PosixFolder, path: str, old: PosixFile | None) -> Iterator[PosixFile]:
    file = _unfinished(folder, path + SUFFIX)
    try:
        if old is not None:
            file.take_mode(old)
        yield file
        folder.rename(path + SUFFIX, path)
    except BaseException:
        with contextlib.suppress(BlockError):
            folder.unlink(path + SUFFIX)
        raise
    finally:
        file.close()


@contextlib.contextmanager
def _replaced(folder: PosixFolder, path: str) -> Iterator[PosixFile | None]:
    """Hold the file that has the name already, so that it is nobody's image while it is replaced."""
    if not folder.exists(path):
        yield None
        return
    with held(folder, path) as file:
        yield file


@contextlib.contextmanager
def held(folder: PosixFolder, name: str) -> Iterator[PosixFile]:
    """Open a file for writing and let nobody else have it for as long as the block runs."""
    file = folder.open(name, writable=True)
    try:
        file.lock(LockMode.EXCLUSIVE)
        file.lock_as_qemu()
        yield file
    finally:
        file.close()


def _unfinished(folder: PosixFolder, path: str) -> PosixFile:
    try:
        file = folder.create(path, replace=False)
    except HostError:
        file = folder.open(path, writable=True)  # what a killed process left; errors name the real reason
    try:
        file.path = path.removesuffix(SUFFIX)  # an error names what somebody wanted
        file.lock(LockMode.EXCLUSIVE)
        file.truncate(0)
    except BlockError:
        file.close()
        raise
    return file
