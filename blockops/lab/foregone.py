"""Not running a case to its end: a short transfer that is made good at once changes nothing that follows.

When the operation after a short transfer does the rest of it, the run is from there on the one without a
fault, but for the count of host operations.  Two such cases can differ only in where the transfer fell: who
made it, between which commands, and whether on an image that the guest reads from.
"""

from typing import TypeAlias

from blockops.lab.faults.fault import HostOperation

Place: TypeAlias = tuple[str, int, bool]
"""Who met a short transfer, how many commands had been sent by then, and whether it was the guest's own."""


class Foregone(BaseException):
    """What comes of this case is known already: it equals another one that was made good at *place*."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


def makes_good(operation: HostOperation, short: HostOperation) -> bool:
    """Whether *operation* does the rest of the transfer *short*."""
    same = (operation.number, operation.actor, operation.operation, operation.path) == (
        short.number + 1,
        short.actor,
        short.operation,
        short.path,
    )
    rest = short.offset + short.length - operation.offset
    return same and operation.offset > short.offset and operation.length == rest
