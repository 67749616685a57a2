"""A small image with clusters of 4 KiB, and a backing that notes what is read from it."""

import attrs

from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import pattern

SIZE = 1 << 20
CLUSTER = 4096


@attrs.define(eq=False)
class Reads:
    """A backing that notes what is read from it."""

    data: bytes = pattern(3, SIZE)
    asked: list[tuple[int, int]] = attrs.field(factory=list)

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        assert offset + length <= len(self.data)
        return self.data[offset : offset + length]


def new(*, size: int = SIZE, version: int = 3, backing: Reads | None = None) -> tuple[BytesFile, Qcow2Image]:
    file = BytesFile()
    name = "base.raw" if backing else None
    create(file, size=size, cluster_size=CLUSTER, version=version, backing_file=name)
    file.flush()
    file.changes.clear()
    return file, Qcow2Image.open(file, writable=True, backing=backing)


def take_new_clusters_from(image: Qcow2Image, offset: int) -> None:
    """Let new clusters come from *offset* on, as if everything before it had been in use once."""
    image._refcounts._next = offset // image.header.geometry.cluster_size
    image._refcounts._placed = True
