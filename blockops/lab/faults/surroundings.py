"""What an operation finds is not as it expected.

occupied@d1    a file already lies where device d1's new image is to go
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.host.memory import MemoryFolder
from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording

if TYPE_CHECKING:
    from blockops.lab.case import Case
    from blockops.lab.execution import Execution


@attrs.frozen
class Occupied(Fault):
    """A file that belongs to somebody else already has the name of the device's new image."""

    device: str
    group = "occupied"
    spares_guest = True
    stays = True

    def __str__(self) -> str:
        return f"occupied@{self.device}"

    def arrange(self, execution: "Execution") -> None:
        folder = MemoryFolder(execution.disk)
        for disk in execution.case.world.disks():
            if disk.device == self.device:
                file = folder.create(disk.overlay, replace=False)
                file.write(0, b"somebody else's file\n" * 100)
                file.close()


def _parse(text: str) -> Occupied | None:
    device = text.removeprefix("occupied@")
    return None if device == text else Occupied(device)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    volumes = setting.world.volume_names()
    for disk in setting.world.disks():
        if disk.overlay not in volumes:
            yield Occupied(disk.device)


FAMILY = Family(
    {"occupied": "a file already lies where a new image is to go"}, _parse, _listed, "files in the way"
)
