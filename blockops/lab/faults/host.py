"""One host operation fails.

    eio@17     host operation 17 fails, once
    eio+@17    … and from then on every operation that the same trouble would hit (`kinds.scopes`)

Operations are counted from the moment at which management begins.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered
from blockops.lab.faults.kinds import Kind, kinds_that_apply

if TYPE_CHECKING:
    from blockops.lab.case import Case


@attrs.frozen
class HostFault(Fault):
    """Host operation *number* fails as *kind*; *lasting*: so do later ones that share the trouble."""

    kind: Kind
    number: int
    lasting: bool = False
    passes = True

    def __str__(self) -> str:
        return f"{self.kind.value}{'+' if self.lasting else ''}@{self.number}"

    @property
    def group(self) -> str:
        return self.kind.value

    @property
    def armed_from(self) -> int:
        return self.number


_PATTERN = re.compile(r"(?P<kind>[a-z]+)(?P<lasting>\+)?(?P<number>@.+)")


def _parse(text: str) -> HostFault | None:
    match = _PATTERN.fullmatch(text)
    kind = None if match is None else next((kind for kind in Kind if kind.value == match["kind"]), None)
    number = None if match is None else numbered(match["number"], "@")
    if match is None or kind is None or number is None:
        return None
    return HostFault(kind, number, match["lasting"] is not None)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    """Yield each kind that applies, once and lastingly: all of one operation in a row (see `judging`)."""
    for operation in chosen:
        for kind in kinds_that_apply(operation):
            yield HostFault(kind, operation.number)
            yield HostFault(kind, operation.number, lasting=True)


FAMILY = Family(
    {kind.value: f"one host operation fails ({kind.value}), once or lastingly" for kind in Kind},
    _parse,
    _listed,
)
