"""A new image: raw or qcow2, by itself or over a backing file that is there."""

import contextlib
from typing import Final

import attrs

from blockops.errors import InvalidRequest
from blockops.host.api import write_fully
from blockops.host.posix import PosixFile, PosixFolder
from blockops.img.names import below
from blockops.img.opening import open_chain
from blockops.img.options import ImageOptions
from blockops.img.target import new_file
from blockops.qcow2.create import create as create_qcow2
from blockops.qcow2.preallocation import preallocate
from blockops.units import MIB, SECTOR, round_up

_ZEROS: Final = bytes(2 * MIB)


def create(
    folder: PosixFolder, filename: str, format: str, options: ImageOptions, *, unsafe: bool = False
) -> ImageOptions:
    """Create an image and return its options, the size among them.

    Without a size it is that of the backing file, which must open unless *unsafe*.  Raises `InvalidRequest`,
    `UnsupportedFeature`, `HostError`; then what had the name has it still.
    """
    known = settled(folder, filename, format, options, unsafe=unsafe)
    with contextlib.ExitStack() as stack:
        file, data = stack.enter_context(new_file(folder, filename)), None
        if known.data_file is not None:
            data = stack.enter_context(new_file(folder, known.data_file))
        write_empty(file, format, known, data)
    return known


def settled(
    folder: PosixFolder, filename: str, format: str, options: ImageOptions, *, unsafe: bool = False
) -> ImageOptions:
    """Return *options* with a size, once the backing file is known to be one; errors as `create`."""
    size = options.size
    if options.backing_file is not None:
        _refuse_backing(folder, filename, format, options)
        if not unsafe:
            base = below(filename, options.backing_file)
            with open_chain(folder, base, options.backing_format) as chain:
                size = chain.size if size is None else size
                _demand_format(filename, options, chain.top.format)
    if options.data_file is not None and folder.follow(options.data_file) == folder.follow(filename):
        raise InvalidRequest(filename, "an image cannot be its own data file")
    if options.backing_file is None and options.backing_format is not None:
        raise InvalidRequest(filename, "a backing format needs a backing file")
    if size is None:
        raise InvalidRequest(filename, "a new image needs a size")
    return attrs.evolve(options, size=size)


def _refuse_backing(folder: PosixFolder, filename: str, format: str, options: ImageOptions) -> None:
    if format == "raw":
        raise InvalidRequest(filename, "a raw image has no backing file")
    if not options.backing_file:
        raise InvalidRequest(filename, "the name of a backing file cannot be empty")
    if folder.follow(below(filename, options.backing_file)) == folder.follow(filename):
        raise InvalidRequest(filename, "an image cannot be its own backing file")
    if options.backing_format is None and options.size is not None:
        _demand_format(filename, options, None)


def _demand_format(filename: str, options: ImageOptions, found: str | None) -> None:
    if options.backing_format is None:
        guess = "" if found is None else f" (it looks like {found})"
        raise InvalidRequest(filename, f"the format of its backing file has to be given{guess}")


def write_empty(
    file: PosixFile, format: str, options: ImageOptions, data_file: PosixFile | None = None
) -> None:
    """Make an empty file an image with these options, which have a size; nothing need be durable."""
    size = round_up(options.size or 0, SECTOR)
    if format == "raw":
        _write_raw(file, size, options.preallocation)
        return
    create_qcow2(
        file,
        size=size,
        cluster_size=options.cluster_size,
        version=options.version,
        backing_file=options.backing_file,
        backing_format=options.backing_format,
        refcount_bits=options.refcount_bits,
        compression_type=options.compression_type,
        lazy_refcounts=options.lazy_refcounts,
        extended_l2=options.extended_l2,
        data_file=options.data_file,
        data_file_raw=options.data_file_raw,
    )
    if data_file is not None:
        data_file.truncate(size)
    _preallocate(file, options, data_file)


def _preallocate(file: PosixFile, options: ImageOptions, data_file: PosixFile | None) -> None:
    # A data file that is a raw image, too, needs every cluster to have its place.
    mode = options.preallocation or "off"
    mode = "metadata" if mode == "off" and options.data_file_raw else mode
    if mode != "off":
        preallocate(file, mode, data_file=data_file)


def _write_raw(file: PosixFile, size: int, preallocation: str | None) -> None:
    file.truncate(size)
    if preallocation == "falloc" and size:
        file.reserve(size)
    elif preallocation == "full":
        for start in range(0, size, len(_ZEROS)):
            write_fully(file, start, memoryview(_ZEROS)[: size - start])
