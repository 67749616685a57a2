"""A graph over a memory disk whose every host operation can fail."""

import attrs

from blockops.graph.change import Change, Plan
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryDisk, MemoryFolder
from tests.commands.failing import FailingFolder, Fault

SIZE = 16 * 1024
CLUSTER = 4096


@attrs.define(eq=False)
class Countdown(FailingFolder):
    """Fails one operation, whatever it is: the one after *left* successes."""

    left: int = -1

    def meet(self, operation: str, path: str) -> Fault | None:
        self.left -= 1
        if self.left == -1:
            self.fail(operation, path, times=1)
        return super().meet(operation, path)


@attrs.define(eq=False)
class Bench:
    """One graph, the host that it opens images on, and the disk below."""

    disk: MemoryDisk
    memory: MemoryFolder
    host: Countdown
    graph: Graph

    def make(
        self, path: str, backing: str | None = None, backing_format: str | None = "qcow2", **how: object
    ) -> str:
        """Create an image (qcow2 where *how* does not say), and return its path."""
        fields = {"format": "qcow2", "size": SIZE, "cluster_size": CLUSTER, "replace": True} | how
        if backing is not None:
            fields |= {"backing_file": backing, "backing_format": backing_format}
        create_image(MemoryFolder(self.disk), NewImage(path, **fields), durable=True)  # type: ignore[arg-type]
        return path

    def open(self, path: str, format: str | None = None, **how: bool) -> ImageNode:
        return open_node(self.graph, self.host, path, format, Opening(**how))

    def show(self, device: str, path: str, **how: bool) -> ImageNode:
        """Open an image and let *device* show it."""
        node = self.open(path, None, **how)
        self.graph.tops[device] = node
        return node

    def planned(self, *changes: Change) -> Plan:
        """Return a plan of these changes, prepared."""
        plan = self.graph.plan()
        for change in changes:
            plan.add(change)
        return plan

    def committed(self, *changes: Change) -> Plan:
        """Return a plan of these changes, committed and not settled."""
        plan = self.planned(*changes)
        list(plan.commit())
        return plan

    def apply(self, *changes: Change) -> None:
        """Make changes for good."""
        self.committed(*changes).settle()
        self.graph.collect()

    def handles(self) -> list[str]:
        """The files that are open, one entry a handle."""
        return sorted(handle.path for handle in self.memory.handles)

    def chain(self, device: str = "d0") -> list[str]:
        return [node.path for node in self.graph.chain(device) if isinstance(node, ImageNode)]


def make_bench() -> Bench:
    disk = MemoryDisk()
    disk.make_folder("/vm/sub")
    memory = MemoryFolder(disk)
    return Bench(disk, memory, Countdown(memory), Graph())
