"""Orders crossed with faults: concurrency, a crash and a second attempt, all in one case.

Under an order, operations and steps are other ones than under the scheduler's own, so the faults of each
order are listed from the run under that order.  What strikes:

    host operations     every one, in every way that is over at once (`faults.host`)
    the hypervisor      killed before every step and every operation that changes the disk
    management          dead at every step; restarted with its notes, or without them
    the channel         every command and every reply lost, late, cut off, delivered twice

What varies these (`Fault.is_variant`), or lasts, is left to the scheduler's own order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from blockops.lab.case import Case
from blockops.lab.faults import channel, host, management, process
from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording
from blockops.lab.faults.kinds import APPLIED_TO, MUTATING, Kind, kinds_that_apply
from blockops.lab.sampling import Lots, lot
from blockops.units import SECTOR

_FAMILIES = (host.FAMILY, process.FAMILY, channel.FAMILY, management.FAMILY)


def crossed_faults(case: Case, recording: Recording, *, hosts: bool = True) -> Iterator[Fault]:
    """Yield what strikes *case*, whose run under its order was recorded; *hosts*: the host fails, too."""
    for family in _families(hosts):
        yield from _listed(family, case, recording)


def _families(hosts: bool) -> Sequence[Family]:
    return _FAMILIES if hosts else _FAMILIES[1:]


def _listed(family: Family, case: Case, recording: Recording) -> Iterator[Fault]:
    for fault in family.listed(case, recording, recording.operations):
        if not fault.is_variant and not fault.lasts:
            yield fault


def numbers_of(recording: Recording, *, hosts: bool = True) -> Counter[str]:
    """Count by group what `crossed_faults` lists, without listing it."""
    found: Counter[str] = Counter()
    # Of some hundred operations most are alike in what can strike them.
    alike = Counter((one.actor, one.operation, one.length >= 2 * SECTOR) for one in recording.operations)
    for (actor, operation, is_long), number in alike.items():
        one = HostOperation(0, actor, operation, "", length=2 * SECTOR if is_long else 0)
        if hosts:
            found.update({kind.value: number for kind in kinds_that_apply(one)})
            found[Kind.EIO.value] += number if operation in APPLIED_TO else 0
        found["kill"] += number if _can_die_at(one) else 0
    found["kill"] += recording.steps
    found.update(dict.fromkeys(management.FAMILY.groups, recording.manager_steps))
    found.update(dict.fromkeys(channel.FAMILY.groups, recording.commands))
    return found


def _can_die_at(operation: HostOperation) -> bool:
    return operation.operation in MUTATING and operation.actor != "management"


@attrs.define
class Crossing:
    """How many cases there are of *orders* crossed with faults, by group; *points*: the most operations.

    *drawn*: where they are sampled, one fault of each of the orders with the lowest lots, as "fault/order".
    """

    orders: int = 0
    points: int = 0
    groups: dict[str, int] = attrs.field(factory=dict)
    drawn: Lots = attrs.field(factory=Lots)

    def meet(self, recording: Recording, *, hosts: bool) -> None:
        """Take in the faults of one more order."""
        self.orders += 1
        self.points = max(self.points, len(recording.operations))
        for group, number in numbers_of(recording, hosts=hosts).items():
            self.groups[group] = self.groups.get(group, 0) + number

    def add(self, other: "Crossing") -> None:
        """Take in those of other orders of the same setting."""
        self.orders += other.orders
        self.points = max(self.points, other.points)
        for group, number in other.groups.items():
            self.groups[group] = self.groups.get(group, 0) + number
        self.drawn.add(other.drawn)


def draw_fault(case: Case, recording: Recording, seed: int, *, hosts: bool) -> str:
    """Return one fault of *case*, drawn by the lots of its order, as "fault/order".

    Its sort is drawn first: of host faults there are more than of all others together.
    """
    families = _families(hosts)
    family = families[int(lot(seed, f"{case.id}/sort"), 16) % len(families)]
    faults = list(_listed(family, case, recording)) or list(crossed_faults(case, recording, hosts=hosts))
    return f"{faults[int(lot(seed, f'{case.id}/fault'), 16) % len(faults)]}/{case.order}"
