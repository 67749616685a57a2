"""What a use case takes when nothing goes wrong, measured on one run through the lab."""

from blockops.lab.case import Case
from blockops.lab.costs import Cost, Effort, Measured
from blockops.lab.execution import Execution
from blockops.lab.faults import parse_fault
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Entry, Inexpressible
from blockops.management.use_cases import USE_CASES, UseCase
from proposals.catalogue import ENTRIES, contestants
from proposals.claims import code

COUNTS = (1, 2, 4, 8)
"""The numbers of devices that are measured."""

OPERATIONS = ("snapshot", "reopen", "mirror", "resize")
"""The operations whose places in the code are counted."""


def counts_of(use_case: UseCase) -> tuple[int, ...]:
    """Return the numbers of devices at which *use_case* is measured: those that it makes sense for."""
    if use_case.device_counts == (1,):
        return (1,)
    least = min(use_case.device_counts)
    return tuple(count for count in COUNTS if least <= 2 or count >= least)


def measured(contestant: Contestant, use_case: str, devices: int) -> Measured:
    """Run a use case once, without a fault, and return what it took."""
    case = Case(contestant, USE_CASES[use_case], World(devices=devices), parse_fault("no-fault"))
    run = Execution(case, recording=True)
    run.go()
    commands = [exchange.command for exchange in run.evidence.exchanges]
    operations = run.clock.operations
    own = [operation for operation in operations if operation.actor == "management"]
    return Measured(
        devices=devices,
        commands=len(set(commands)),
        round_trips=len(commands),
        fallible_steps=len(commands) + len(own),
        bytes_written=sum(
            operation.length
            for operation in operations
            if operation.operation == "write" and operation.actor in ("management", "hypervisor")
        ),
        stall_steps=run.evidence.stall.steps,
        stall_operations=run.evidence.stall.operations,
    )


def cost(contestant: Contestant, use_case: UseCase) -> Cost | None:
    """Return what *use_case* takes at each number of devices; None where it is inexpressible."""
    if isinstance(contestant.program(use_case.id), Inexpressible):
        return None
    return Cost(
        contestant=contestant.id,
        use_case=use_case.id,
        branches=code.branches(contestant, use_case.id) or 0,
        at=tuple(measured(contestant, use_case.id, devices) for devices in counts_of(use_case)),
    )


def costs() -> tuple[Cost, ...]:
    """Measure every contestant in every use case that it can express, use case after use case."""
    asked = ((contestant, use_case) for use_case in USE_CASES.values() for contestant in contestants())
    return tuple(found for one in asked if (found := cost(*one)) is not None)


def effort(entry: Entry) -> Effort:
    """Return what the server's side of a design takes, measured on its code."""
    return Effort(
        entry.id,
        code.states(entry),
        code.moves(entry),
        {operation: len(code.places(entry, operation)) for operation in OPERATIONS},
    )


def efforts() -> tuple[Effort, ...]:
    """Return the effort of each of the page's proposals."""
    return tuple(effort(entry) for entry in ENTRIES if entry.page)
