"""Something goes wrong between management and the hypervisor.

command-lost@3    command 3 never arrives
reply-lost@3      it is carried out, and its answer never arrives
disconnect@3      the connection drops while it is carried out; management opens a new one for the next
late@3            management has given up waiting while it is still carried out; what it sends next waits
twice@3           it arrives twice, the second time right behind the first; management sees the first answer

Management's commands are counted from 1.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Mishap, Recording, numbered

if TYPE_CHECKING:
    from blockops.lab.case import Case

_MISHAPS = {
    "command-lost": Mishap.LOST,
    "reply-lost": Mishap.UNANSWERED,
    "disconnect": Mishap.DROPPED,
    "late": Mishap.LATE,
    "twice": Mishap.TWICE,
}


@attrs.frozen
class ChannelFault(Fault):
    """*mishap* befalls command number *command*."""

    mishap: Mishap
    command: int
    spares_guest = True
    passes = True

    def __str__(self) -> str:
        return f"{self.group}@{self.command}"

    @property
    def group(self) -> str:
        return next(name for name, mishap in _MISHAPS.items() if mishap is self.mishap)

    def befalls(self, command: int) -> Mishap:
        return self.mishap if command == self.command else Mishap.NONE


def _parse(text: str) -> ChannelFault | None:
    for name, mishap in _MISHAPS.items():
        command = numbered(text, f"{name}@")
        if command is not None:
            return ChannelFault(mishap, command)
    return None


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    for command in range(1, recording.commands + 1):
        for mishap in _MISHAPS.values():
            yield ChannelFault(mishap, command)


FAMILY = Family(
    {
        "command-lost": "one of management's commands never arrives",
        "reply-lost": "a command is carried out, and its answer never arrives",
        "disconnect": "the connection drops while a command is carried out",
        "late": "management has given up waiting while a command is still carried out",
        "twice": "a command is delivered twice",
    },
    _parse,
    _listed,
    "mishaps of the channel",
)
