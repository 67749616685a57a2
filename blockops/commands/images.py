"""The image files that one action makes and opens, in its profile's manner.

As-posted (semantics.md, section 1): creating wipes what is there, records the base's name as it was
opened, flushes nothing, and leaves behind whatever a failure leaves.  Hardened: creating refuses to
overwrite, records an absolute name, makes file and directory entry durable, and a failure removes the
file again.  Both record the base's driver as backing format.
"""

import contextlib
import errno
import posixpath
from collections.abc import Iterator

import attrs

from blockops.commands.profile import Profile, opening
from blockops.errors import (
    BlockError,
    HostError,
    InvalidRequest,
    Leftover,
    OpenFileFailed,
    UnsupportedFeature,
)
from blockops.graph.formats import NewImage, create_image, open_node
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@contextlib.contextmanager
def naming(filename: str, device: str) -> Iterator[None]:
    """Turn every error inside into an `OpenFileFailed` that names *filename* and *device*."""
    try:
        yield
    except OpenFileFailed:
        raise
    except BlockError as error:
        raise OpenFileFailed(filename, device, error) from error


@attrs.define(eq=False)
class Images:
    """Creates and opens for one action, and remembers what it has created."""

    machine: Machine
    profile: Profile
    device: str
    created: list[str] = attrs.field(factory=list)

    @property
    def hardened(self) -> bool:
        return self.profile is Profile.HARDENED

    def create_over(self, filename: str, format: str, base: Node) -> Steps[None]:
        """Create an overlay over *base*, of its size; raises `OpenFileFailed`."""
        with naming(filename, self.device):
            if format == "raw":
                raise UnsupportedFeature(filename, "a backing file under a raw image")
            self._create(self._overlay(filename, format, base))
        yield Step(Phase.CREATE, filename)

    def create_flat(self, filename: str, format: str, size: int) -> Steps[None]:
        """Create an image without backing, *size* in bytes; raises `OpenFileFailed`."""
        with naming(filename, self.device):
            self._create(NewImage(filename, format, size, cluster_size=self.machine.cluster_size))
        yield Step(Phase.CREATE, filename)

    def _overlay(self, filename: str, format: str, base: Node) -> NewImage:
        image = base.source
        return NewImage(
            filename,
            format,
            base.size,
            backing_file=image.path if self.hardened else image.filename,
            backing_format=image.format,
            cluster_size=self.machine.cluster_size,
        )

    def _create(self, new: NewImage) -> None:
        if not self.hardened:
            create_image(self.machine.host, attrs.evolve(new, replace=True), durable=False)
            return
        self._refuse_existing(new.filename)
        try:
            create_image(self.machine.host, new, durable=True)
        except HostError as error:
            if error.code != errno.EEXIST:  # somebody else made it since we looked: not ours to remove
                self.created.append(new.filename)
            raise
        self.created.append(new.filename)
        self.sync_folder(new.filename)

    def _refuse_existing(self, filename: str) -> None:
        path = self.machine.host.resolve(filename)
        if self.machine.host.exists(filename):
            raise HostError("create", path, errno.EEXIST)

    def sync_folder(self, filename: str) -> None:
        """Make the directory entry of *filename* durable."""
        host = self.machine.host
        host.sync(posixpath.dirname(host.resolve(filename)))

    def open_top(self, filename: str, format: str | None, *, writable: bool, size: int) -> ImageNode:
        """Open an image without what is below it, to be put onto a device of *size* bytes.

        Raises `OpenFileFailed`.  Hardened refuses a file that is open already and one of another size.
        The caller puts the node into a plan before it yields: the graph closes what nothing leads to.
        """
        how = attrs.evolve(opening(self.profile), writable=writable, backing=False)
        with naming(filename, self.device):
            if self.hardened:
                self._refuse_open(filename)
            node = open_node(self.machine.graph, self.machine.host, filename, format, how)
            if self.hardened:
                refuse_other_size(node, size)
                self.sync_folder(filename)
        return node

    def _refuse_open(self, filename: str) -> None:
        path = self.machine.host.resolve(filename)
        if self.machine.graph.opened(path) is not None:
            raise InvalidRequest(path, "it is in use by this machine already")

    def remove(self) -> Steps[tuple[Leftover, ...]]:
        """Remove what was created (hardened; 2012 removed nothing); return what could not be removed."""
        leftovers: list[Leftover] = []
        while self.created:
            filename = self.created.pop()
            leftovers += self._unlinked(filename)
            yield Step(Phase.UNLINK, filename)
        return tuple(leftovers)

    def _unlinked(self, filename: str) -> list[Leftover]:
        try:
            self.machine.host.unlink(filename)
        except HostError as error:
            if error.code != errno.ENOENT:
                return [Leftover(filename, self.device, error)]
        return []


def refuse_other_size(node: ImageNode, size: int) -> None:
    """Raise unless *node* has *size* bytes: the guest's disk must not change its size."""
    if node.size != size:
        raise InvalidRequest(node.path, f"it has {node.size} bytes, the device {size}")
