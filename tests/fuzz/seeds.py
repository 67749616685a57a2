"""What a search begins with: small images of every sort that there is, drawn from the specification."""

from collections.abc import Iterator

from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.drawn import Shape, draw, draw_with_bitmap, draw_with_snapshot
from tests.qcow2.files import BytesFile

SHAPES = (Shape(), Shape(version=2), Shape(cluster_bits=12), *(Shape(refcount_order=n) for n in range(7)))


def seeds() -> Iterator[bytes]:
    """Yield the images, each some kilobytes."""
    for shape in SHAPES:
        yield bytes(draw(shape))
        yield bytes(draw_with_snapshot(shape))
        if shape.version == 3:
            yield bytes(draw_with_bitmap(shape))
    for cluster_size, backing in ((512, None), (4096, None), (512, "below.raw")):
        yield _written(cluster_size, backing)


def _written(cluster_size: int, backing: str | None) -> bytes:
    file = BytesFile()
    create(file, size=64 * cluster_size, cluster_size=cluster_size, backing_file=backing)
    image = Qcow2Image.open(file, writable=True)
    for cluster in (0, 1, 7, 40):
        image.write(cluster * cluster_size + 5, b"x" * cluster_size)
    image.write_zeroes(2 * cluster_size, 2 * cluster_size)
    image.close()
    return bytes(file.content)
