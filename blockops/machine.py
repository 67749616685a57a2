"""The hypervisor process as far as disks go: named devices over one graph, in one folder of the host.

All of it is memory: when the process dies the graph, the gates and the reservations are gone, and only
what the host's files hold remains.
"""

from collections.abc import Iterable
from typing import Protocol

import attrs

from blockops.device import Device, Hold
from blockops.errors import BlockError, DeviceInUse, DeviceNotFound
from blockops.graph.formats import Opening, open_node
from blockops.graph.graph import Graph
from blockops.host.api import HostFolder
from blockops.steps import Step


class Background(Protocol):
    """Work that goes on between commands; whoever runs the machine steps it."""

    @property
    def device(self) -> str:
        """The name of the device that it works on."""

    def step(self) -> Step | None:
        """Take one step and return it, or None where there is nothing to do now."""


@attrs.define(eq=False)
class Machine:
    """Devices by name, in the order in which they were attached.

    *cluster_size*, in bytes, is what new overlays are made with (QEMU's default is 64 KiB).  *background*
    is what goes on besides, oldest first.  *write_through*: devices have no volatile write cache.  While
    the guest is *stopped* every device holds its requests back, one that is attached meanwhile, too.
    """

    host: HostFolder
    cluster_size: int = 65536
    graph: Graph = attrs.field(factory=Graph)
    devices: dict[str, Device] = attrs.field(factory=dict)
    opening: Opening = Opening()
    background: list[Background] = attrs.field(factory=list)
    write_through: bool = False
    stopped: bool = False

    def attach(
        self, name: str, filename: str | None, format: str | None = None, *, read_only: bool = False
    ) -> Device:
        """Add a device that shows the image *filename* (probed where *format* is None; None: no medium)."""
        if name in self.devices:
            raise DeviceInUse(name, "a device of that name")
        device = Device(name, self.graph, read_only, write_through=self.write_through)
        self.graph.tops[name] = None
        if filename is not None:
            how = attrs.evolve(self.opening, writable=not read_only)
            try:
                self.graph.tops[name] = open_node(self.graph, self.host, filename, format, how)
            except BlockError:
                del self.graph.tops[name]
                raise
        self.devices[name] = device
        if self.stopped:
            device.close_gate(Hold.STOP)
        return device

    def detach(self, name: str) -> None:
        """Take a device away as if unplugged: its requests fail, its name is free, its images are closed.

        An image stays open as long as another device or a plan needs it.  What a command has prepared for
        the device takes no effect on it any more, and what went on in the background ends (our choice: a
        surprise removal, nobody is asked).
        """
        self.device(name).unplug()
        self.background = [work for work in self.background if work.device != name]
        del self.devices[name], self.graph.tops[name]
        self.graph.collect()

    def device(self, name: str) -> Device:
        """Return the device *name*, or raise `DeviceNotFound`."""
        try:
            return self.devices[name]
        except KeyError:
            raise DeviceNotFound(name) from None

    def idle_device(self, name: str) -> Device:
        """Return the device *name* if nobody has reserved it, else raise `DeviceInUse`."""
        device = self.device(name)
        if device.user is not None:
            raise DeviceInUse(name, device.user)
        return device

    def stop(self) -> None:
        """Stop the guest: its requests queue.  A second time: nothing."""
        if self.stopped:
            return
        self.stopped = True
        for device in self.devices.values():
            device.close_gate(Hold.STOP)

    def cont(self) -> None:
        """Let the guest go on; nothing where it is not stopped."""
        if not self.stopped:
            return
        self.stopped = False
        for device in self.devices.values():
            device.open_gate(Hold.STOP)

    def flush_all(self) -> None:
        """Make every acknowledged write of every device durable."""
        for top in self.graph.tops.values():
            if top is not None:
                top.flush()

    def close(self) -> tuple[BlockError, ...]:
        """Take every medium out, drop what is prepared and what goes on, close all images.

        Returns the errors of closing.
        """
        self.background.clear()
        for plan in tuple(self.graph.plans):
            plan.settle()
        for name in self.graph.tops:
            self.graph.tops[name] = None
        return self.graph.collect()


def in_order(machine: Machine, names: Iterable[str]) -> list[Device]:
    """Return the devices *names*, each once, in the order given."""
    return [machine.device(name) for name in dict.fromkeys(names)]
