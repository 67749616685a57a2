"""`query-block`: which image each device shows, in QMP's words."""

from blockops.device import Device
from blockops.graph.formats import backing_of
from blockops.graph.node import Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


def query_block(machine: Machine, *, frozen: bool) -> Steps[list[dict[str, object]]]:
    """Return one row a device, in the order of attachment; *frozen* adds a member of that name (ours).

    A device without a medium has no "inserted".  Of a mirror the source is shown.
    """
    yield Step(Phase.CHECK, "devices")
    return [_row(device, frozen) for device in machine.devices.values()]


def _row(device: Device, frozen: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "device": device.name,
        "locked": False,
        "removable": False,
        "type": "unknown",
    }
    if device.top is not None:
        row["inserted"] = _inserted(device, device.top)
    if frozen:
        row["frozen"] = device.frozen
    return row


def _inserted(device: Device, top: Node) -> dict[str, object]:
    image = top.source
    inserted: dict[str, object] = {"file": image.filename, "ro": device.read_only, "drv": image.format}
    recorded = backing_of(image)
    if recorded is not None:
        inserted["backing_file"] = recorded[0]
    return inserted
