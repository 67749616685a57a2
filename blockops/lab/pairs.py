"""Pairs of failures: the second strikes on the way that the first made the case take, say the roll-back.

The way is recorded: the setting runs under the first fault alone, and each operation that management or the
hypervisor does from there on, and that the first does not strike itself, is the second's in turn.  The
second is EIO, once and lastingly: an error at that place.  The first is EIO before its effect, once and
lastingly, or once after it, or torn or dropped pages: other errnos take the same way but for words, and
where somebody looks at the errno, the single faults have tried them.
"""

from collections.abc import Iterator, Sequence

import attrs

from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.host import FaultPair, HostFault, Span
from blockops.lab.faults.kinds import APPLIED_TO, Kind, kinds_that_apply

_SECOND = (Span.ONCE, Span.LASTING)


def leading_faults(operations: Sequence[HostOperation]) -> Iterator[HostFault]:
    """Yield the faults that pairs begin with, of the operations of a run without a fault."""
    for operation in operations:
        number, kinds = operation.number, kinds_that_apply(operation)
        yield HostFault(Kind.EIO, number)
        yield HostFault(Kind.EIO, number, Span.LASTING)
        if operation.operation in APPLIED_TO:
            yield HostFault(Kind.EIO, number, applied=True)
        for kind in (Kind.TORN, Kind.DROPPED):
            if kind in kinds:
                yield HostFault(kind, number)


def leads(fault: HostFault) -> bool:
    """Whether pairs begin with *fault*, one of those that a setting has."""
    if fault.span is Span.ONCE:
        return fault.kind in (Kind.EIO, Kind.TORN, Kind.DROPPED)
    return fault.span is Span.LASTING and fault.kind is Kind.EIO and not fault.applied


def pairs_on(first: HostFault, way: Sequence[int]) -> Iterator[FaultPair]:
    """Yield the pairs that *first* is the first of, where its run took *way* (`hosts.Clock`)."""
    return (FaultPair(first, HostFault(Kind.EIO, number, span)) for number in way for span in _SECOND)


def pairs_after(setting: Case, first: HostFault) -> tuple[FaultPair, ...]:
    """Run *setting* under *first* and return the pairs that it is the first of, in the order of that run."""
    execution = Execution(attrs.evolve(setting, fault=first))
    execution.go()
    return tuple(pairs_on(first, execution.clock.way))


def pairs(setting: Case, operations: Sequence[HostOperation]) -> Iterator[FaultPair]:
    """Yield all pairs of a setting whose first strikes one of *operations* (of the run without a fault)."""
    for first in leading_faults(operations):
        yield from pairs_after(setting, first)
