"""What there is when a case is over: what the devices show, what was told, and what is on the disk.

Where the hypervisor was killed it is restarted first, as management would: on the images that the durable
configuration names once the manager's recovery program has run, and no others.  All that comes of that
depends on nothing but the disk, for the recovery program is a new process that nobody answers; so within
a setting it is remembered by the disk.
"""

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk
from blockops.lab.evidence import Rest, Shown
from blockops.lab.execution import Execution
from blockops.lab.faults.pace import NoFault
from blockops.lab.history import History
from blockops.lab.hosts import Clock
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.reading import digests, read_image
from blockops.lab.world import World
from blockops.management.wish import ImageRef
from blockops.steps import run


@attrs.frozen(eq=False)
class Aftermath:
    """What was found: on each device *live* and *reopened*, what *rest* there is, the *disk* at the end.

    *unwritten*: errors of writing out what was kept in memory; *unsteady*: what recovering twice changed.
    """

    live: tuple[Shown, ...]
    reopened: tuple[Shown, ...]
    rest: Rest
    told: frozenset[str]
    unwritten: tuple[str, ...]
    disk: MemoryDisk
    digests: dict[str, bytes]
    unsteady: str | None = None


Aftermaths: TypeAlias = dict[str, Aftermath]
"""What came of the killed cases of one setting, by the digest of the disk that the crash left."""

REMEMBERED = 1_000
"""How many of these are kept, the latest: each holds a disk, and equal disks are left soon or not again."""


def remembered_aftermath(execution: Execution, remembered: Aftermaths) -> Aftermath:
    """Return what comes of restarting a killed case, from *remembered* if its disk is there."""
    key = execution.disk.digest()
    found = remembered.get(key)
    if found is None:
        found = _restarted(execution)
        while len(remembered) >= REMEMBERED:
            del remembered[next(iter(remembered))]
        remembered[key] = found
    return found


def _restarted(execution: Execution) -> Aftermath:
    images = _recovered(execution)
    again = _recovered(execution)
    hypervisor = Hypervisor.start(
        execution.case, execution.disk, Clock(NoFault()), images, History(), lambda *_words: None
    )
    found = look(execution, hypervisor)
    hypervisor.folder.close_all()
    return attrs.evolve(found, unsteady=None if again == images else f"{images} became {again}")


def _recovered(execution: Execution) -> dict[str, ImageRef]:
    """Let a new manager recover whom nobody answers; return what the machine is to start on."""
    desk = execution.desk()
    with contextlib.suppress(BlockError):  # then the books stand as it left them
        run(execution.case.contestant.recover(desk, execution.case.wish))
    return desk.configuration()


def look(execution: Execution, hypervisor: Hypervisor) -> Aftermath:
    """Return what a hypervisor at rest shows and has told, and what it leaves once it has written it out."""
    world = execution.case.world
    live, rest, told = hypervisor.shown(world.size), hypervisor.rest(), hypervisor.told()
    unwritten = _written_out(hypervisor)
    # What a probe does to the disk is nobody's business but its own.
    disk = execution.disk.fork()
    again = tuple(_reopened(disk, shown, world) for shown in live)
    seen = tuple(_seen(hypervisor, live, again))
    return Aftermath(seen, again, rest, told, unwritten, disk, digests(disk))


def _seen(hypervisor: Hypervisor, live: tuple[Shown, ...], again: tuple[Shown, ...]) -> Iterator[Shown]:
    """Yield what each device shows; of one that is no longer there what its last image holds on the disk."""
    for name, one, reopened in zip(hypervisor.names, live, again, strict=True):
        yield attrs.evolve(reopened, mirrors=one.mirrors) if name in hypervisor.unplugged else one


def _written_out(hypervisor: Hypervisor) -> tuple[str, ...]:
    """Write out what the process still keeps in memory; errors are the core's own."""
    errors = []
    for node in hypervisor.machine.graph.open_nodes():
        try:
            node.flush()
        except BlockError as error:
            errors.append(f"flushing on a sound host: {error}")
    return tuple(errors)


def _reopened(disk: MemoryDisk, shown: Shown, world: World) -> Shown:
    """Return what a fresh process sees that starts from the same top image."""
    return (
        Shown(None, problem=shown.problem) if shown.top is None else read_image(disk, shown.top, world.size)
    )
