"""Internal snapshots of an image by name: taken, gone back to, deleted."""

import contextlib
from collections.abc import Iterator

import attrs

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.img.directory import Snapshot, snapshots
from blockops.img.opening import Chain, Layer, open_chain
from blockops.qcow2.header import read_header
from blockops.qcow2.image import Qcow2Image


def listed(folder: PosixFolder, filename: str, *, force_share: bool = False) -> tuple[Snapshot, ...]:
    """Return the snapshots of *filename*, none for a raw image; raises `ImageError`, `HostError`, …."""
    with open_chain(folder, filename, force_share=force_share) as chain:
        file = chain.top.file
        return () if chain.top.header is None else snapshots(file, read_header(file))


def take(folder: PosixFolder, filename: str, name: str, *, date: int = 0, date_nanoseconds: int = 0) -> None:
    """Take a snapshot of the disk as it is; *date* in seconds since 1970.  Durable; errors as writing."""
    with _image(folder, filename) as image:
        image.snapshots.create(name, date_sec=date, date_nsec=date_nanoseconds)


def go_back(folder: PosixFolder, filename: str, wanted: str) -> None:
    """Make the disk what it was at the snapshot of this id or name; errors as writing."""
    with _image(folder, filename) as image:
        image.snapshots.apply(wanted)


def delete(folder: PosixFolder, filename: str, name: str) -> None:
    """Delete the first snapshot of this name, ids do not count here; errors as writing."""
    with _image(folder, filename) as image:
        found = next((one.id for one in image.snapshots if one.name == name), None)
        if found is None:
            raise InvalidRequest(filename, f"it has no snapshot called '{name}'")
        image.snapshots.delete(found)


@contextlib.contextmanager
def at_snapshot(folder: PosixFolder, chain: Chain, wanted: str) -> Iterator[Chain]:
    """Yield *chain* as it was at a snapshot, named as for `qemu-img convert -l`; errors as opening."""
    top = chain.top
    if not isinstance(top.image, Qcow2Image):
        raise InvalidRequest(top.filename, f"a {top.format} image has no internal snapshots")
    file = folder.open(top.file.path, writable=False)
    try:
        found = _named(top, wanted)
        image = Qcow2Image.open(file, writable=False, snapshot=found.id, backing=top.image.backing)
        yield Chain((attrs.evolve(top, image=image), *chain.layers[1:]))
    finally:
        file.close()


def _named(layer: Layer, wanted: str) -> Snapshot:
    given = dict(part.partition("=")[::2] for part in wanted.split(","))
    if not given.keys() <= {"snapshot.id", "snapshot.name"}:
        given = {}
    for one in snapshots(layer.file, read_header(layer.file)):
        by_part = all({"snapshot.id": one.id, "snapshot.name": one.name}[key] == given[key] for key in given)
        if by_part if given else wanted in (one.id, one.name):
            return one
    raise InvalidRequest(layer.filename, f"it has no snapshot '{wanted}'")


@contextlib.contextmanager
def _image(folder: PosixFolder, filename: str) -> Iterator[Qcow2Image]:
    with open_chain(folder, filename, writable=True) as chain:
        if not isinstance(chain.top.image, Qcow2Image):
            raise InvalidRequest(filename, f"a {chain.top.format} image has no internal snapshots")
        yield chain.top.image
