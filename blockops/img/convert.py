"""Copying an image, or several behind each other, into another one.

The map says what is worth reading; of that, what turns out to be zero is not written.  A new image gets its
name when it is complete (docs/decisions/0009-a-new-image-gets-its-name-last.md); into one that is there
(`into`) a copy goes in place, and a failure says that it is incomplete.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from blockops.errors import BlockError, InvalidRequest, UnsupportedFeature
from blockops.host.posix import PosixFile, PosixFolder
from blockops.img.copying import Copying, Progress, copy_all, old_target
from blockops.img.create import settled, write_empty
from blockops.img.names import below
from blockops.img.opening import Chain, open_chain
from blockops.img.options import ImageOptions
from blockops.img.target import new_file
from blockops.img.unsynced import Unsynced
from blockops.img.writing import Qcow2Target, RawTarget, Target
from blockops.qcow2.image import Qcow2Image
from blockops.units import MIB, SECTOR, round_up

LARGEST_SPARSE: Final = 16 * MIB


@attrs.define(eq=False)
class Incomplete(BlockError):
    """A copy into an image that was there has failed in the middle of it; *cause* says why."""

    path: str
    cause: BlockError

    @property
    def message(self) -> str:
        return f"{self.path} is incomplete now: {self.cause.message}"


def convert(
    folder: PosixFolder,
    sources: Sequence[Chain],
    filename: str,
    format: str = "raw",
    options: ImageOptions | None = None,
    how: Copying | None = None,
    progress: Progress | None = None,
) -> None:
    """Copy open images behind each other into a new one called *filename*.

    With a backing file in *options* only what the sources hold themselves is copied; it must show what is
    below them.  Raises `InvalidRequest`, `UnsupportedFeature`, `ImageError`, `HostError`; then there is no
    new image, and what had the name has it still.
    """
    how = how or Copying()
    known = _sized(filename, sources, options or ImageOptions())
    _refuse(filename, format, how)
    if known.data_file is not None:
        raise UnsupportedFeature(filename, "a copy with an external data file")
    known = settled(folder, filename, format, known)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new_file(folder, filename))
        write_empty(file, format, known)
        target = stack.enter_context(_new_target(folder, file, filename, format, known, how))
        copy_all(sources, target, how, floor=None if known.backing_file is None else 1, progress=progress)


def _sized(filename: str, sources: Sequence[Chain], options: ImageOptions) -> ImageOptions:
    total = sum(chain.size for chain in sources)
    if options.size is not None and round_up(options.size, SECTOR) < total:
        raise InvalidRequest(filename, f"{options.size} bytes cannot hold the {total} of the source")
    return attrs.evolve(options, size=total if options.size is None else options.size)


def _refuse(filename: str, format: str, how: Copying) -> None:
    """Refuse what no copy can be."""
    if how.sparse % SECTOR or not 0 <= how.sparse <= LARGEST_SPARSE:
        raise InvalidRequest(filename, f"{how.sparse} zero bytes are no multiple of 512 up to 16 MiB")
    if how.compress and format == "raw":
        raise UnsupportedFeature(filename, "a compressed raw image")


@contextlib.contextmanager
def _new_target(
    folder: PosixFolder, file: PosixFile, filename: str, format: str, options: ImageOptions, how: Copying
) -> Iterator[Target]:
    if format == "raw":
        yield RawTarget(file, empty=True)
        if how.durable:
            file.flush()
        return
    with contextlib.ExitStack() as stack:
        image = Qcow2Image.open(file if how.durable else Unsynced(file), writable=True)
        if options.backing_file is not None:
            base = below(filename, options.backing_file)
            chain = stack.enter_context(open_chain(folder, base, options.backing_format))
            image.backing = chain.top.image
        yield Qcow2Target(image, empty=options.backing_file is None, compress=how.compress)
        image.flush()


def convert_into(
    folder: PosixFolder,
    sources: Sequence[Chain],
    filename: str,
    format: str = "raw",
    how: Copying | None = None,
    progress: Progress | None = None,
) -> None:
    """Copy open images behind each other into *filename*, an image that is there and none of them.

    Errors as `convert`, and `Incomplete` once anything may have been written.
    """
    how = how or Copying()
    _refuse(filename, format, how)
    _refuse_source(folder, sources, filename)
    total = sum(chain.size for chain in sources)
    with open_chain(folder, filename, format, writable=True, durable=how.durable) as chain:
        if chain.size < total:
            raise InvalidRequest(filename, f"its {chain.size} bytes cannot hold the {total} of the source")
        try:
            copy_all(sources, old_target(chain.top, how), how, progress=progress)
            chain.top.image.flush()
            if how.durable:
                chain.top.file.flush()
        except BlockError as error:
            raise Incomplete(chain.top.file.path, error) from error


def _refuse_source(folder: PosixFolder, sources: Sequence[Chain], filename: str) -> None:
    """Locks forbid it, too, but not everybody takes them."""
    path = folder.follow(filename)
    layers = [layer for chain in sources for layer in chain.layers]
    if any(path in (folder.follow(one.file.path), folder.follow(one.data.path)) for one in layers):
        raise InvalidRequest(filename, "an image cannot be copied into itself, or into what is below it")
