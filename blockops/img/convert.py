"""Copying an image, or several behind each other, into another one.

The map says what is worth reading; of that, what turns out to be zero is not written.  A new image gets its
name when it is complete (docs/decisions/0009-a-new-image-gets-its-name-last.md); into one that is there
(`into`) a copy goes in place, and a failure says that it is incomplete.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from blockops.errors import BlockError, InvalidRequest, UnsupportedFeature
from blockops.host.posix import PosixFile, PosixFolder
from blockops.img.create import settled, write_empty
from blockops.img.extents import extents
from blockops.img.names import beside
from blockops.img.opening import Chain, open_chain
from blockops.img.options import ImageOptions
from blockops.img.target import new_file
from blockops.img.unsynced import Unsynced
from blockops.img.windows import Cutter, Grain, Window
from blockops.img.writing import Qcow2Target, RawTarget, Target, write_zeros
from blockops.qcow2.image import Qcow2Image
from blockops.units import KIB, MIB, SECTOR, round_up

LARGEST_SPARSE: Final = 16 * MIB

Progress = Callable[[int, int], None]


@attrs.frozen
class Copying:
    """How an image is copied.

    *sparse*: so many zero bytes in a row are not written; 0 writes everything.  *compress*: qcow2 clusters.
    *durable*: it is on the disk when it has its name.  *zeroed*: an image that is there reads as zeros.
    """

    sparse: int = 4 * KIB
    compress: bool = False
    durable: bool = False
    zeroed: bool = False


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
    known = settled(folder, filename, format, known)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new_file(folder, filename))
        write_empty(file, format, known)
        target = stack.enter_context(_new_target(folder, file, filename, format, known, how))
        _copy_all(sources, target, how, over=known.backing_file is not None, progress=progress)


def _sized(filename: str, sources: Sequence[Chain], options: ImageOptions) -> ImageOptions:
    total = sum(chain.size for chain in sources)
    if options.size is not None and round_up(options.size, SECTOR) < total:
        raise InvalidRequest(filename, f"{options.size} bytes cannot hold the {total} of the source")
    return attrs.evolve(options, size=total if options.size is None else options.size)


def _refuse(filename: str, format: str, how: Copying) -> None:
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
            below = beside(filename, options.backing_file)
            chain = stack.enter_context(open_chain(folder, below, options.backing_format))
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
            _copy_all(sources, _old_target(chain, how), how, over=False, progress=progress)
            chain.top.image.flush()
            if how.durable:
                chain.top.file.flush()
        except BlockError as error:
            raise Incomplete(chain.top.file.path, error) from error


def _refuse_source(folder: PosixFolder, sources: Sequence[Chain], filename: str) -> None:
    """Locks forbid it, too, but not everybody takes them."""
    path = folder.follow(filename)
    if any(folder.follow(layer.file.path) == path for chain in sources for layer in chain.layers):
        raise InvalidRequest(filename, "an image cannot be copied into itself, or into what is below it")


def _old_target(chain: Chain, how: Copying) -> Target:
    image = chain.top.image
    if isinstance(image, Qcow2Image):
        return Qcow2Target(image, empty=how.zeroed, compress=how.compress)
    return RawTarget(chain.top.file, empty=how.zeroed)


def _copy_all(
    sources: Sequence[Chain], target: Target, how: Copying, *, over: bool, progress: Progress | None
) -> None:
    total, base = sum(chain.size for chain in sources), 0
    for chain in sources:
        copy = _Copy(chain, target, how, Grain(round_up(how.sparse or SECTOR, target.grain)), base)
        for end in copy.run(over=over):
            if progress is not None:
                progress(base + end, total)
        base += chain.size


@attrs.frozen
class _Copy:
    """One source on its way to *base* of the target."""

    chain: Chain
    target: Target
    how: Copying
    grain: Grain
    base: int

    def run(self, *, over: bool) -> Iterator[int]:
        """Copy window after window, yielding where each ends; *over*: only what the top layer says itself."""
        wanted = (one for one in extents(self.chain) if not over or one.depth == 0)
        for window in Cutter(self.target.grain, self.base).windows(wanted):
            if not window.zero:
                self._copy(window)
            elif self.how.sparse:
                self.target.zero(self.base + window.start, window.end - window.start)
            else:
                write_zeros(self.target, self.base + window.start, window.end - window.start)
            yield window.end

    def _copy(self, window: Window) -> None:
        data, start = window.read(self.chain), self.base + window.start
        if not self.how.sparse:
            self.target.write(start, memoryview(data))
            return
        view = memoryview(data)
        for first, end, zero in self.grain.split(start, data):
            if zero:
                self.target.zero(start + first, end - first)
            else:
                self.target.write(start + first, view[first:end])
