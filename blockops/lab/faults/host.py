"""One host operation fails, and perhaps a second one on the way that the first one made the case take.

    eio@17          host operation 17 fails, once
    eio+@17         … and from then on every operation that the same trouble would hit (`kinds.scopes`)
    eio~@17         … until it is cleared: when the command that it struck has been answered or, where it
                    struck between commands, when management sends the next one
    eio!@17         operation 17 has its effect, and an error is returned all the same; eio!+, eio!~
    dropped@17      flush 17 fails and drops what it should have made durable; repeated it succeeds
    eio@17,eio@23   a pair: operation 23 of the run in which operation 17 fails, fails as well

Operations are counted from the moment at which management begins.  After the effect EIO stands for every
errno: nobody can tell more from it than that the outcome is unknown.
"""

import enum
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered
from blockops.lab.faults.kinds import (
    AFTER_EFFECT,
    APPLIED_TO,
    KINDS_OF,
    MERE_ERRNO,
    SAYS,
    Kind,
    kinds_that_apply,
    scope_of,
    scopes,
)

if TYPE_CHECKING:
    from blockops.lab.case import Case

PAIR = "pair"


class Span(enum.Enum):
    """How long the trouble lasts; the value is the mark in names."""

    ONCE = ""
    LASTING = "+"
    CLEARED = "~"


_SPANS = tuple(Span)


@attrs.frozen
class HostFault(Fault):
    """Host operation *number* fails as *kind*, and so do later ones that share the trouble, for its *span*.

    *applied*: after the effect; else before it (as far as the kind lets it have none).
    """

    kind: Kind
    number: int
    span: Span = Span.ONCE
    applied: bool = False
    passes = True

    def __str__(self) -> str:
        return f"{self.kind.value}{'!' if self.applied else ''}{self.span.value}@{self.number}"

    @property
    def group(self) -> str:
        return self.kind.value

    @property
    def armed_from(self) -> int:
        return self.number

    @property
    def is_variant(self) -> bool:
        if self.span is not Span.LASTING:
            return self.span is Span.CLEARED
        return self.applied or self.kind not in MERE_ERRNO

    @property
    def lasts(self) -> bool:
        return self.span is not Span.ONCE

    @property
    def host_faults(self) -> "tuple[HostFault, ...]":
        return (self,)

    def fits(self, operation: HostOperation) -> bool:
        """Whether *operation* can fail like this."""
        if self.applied:
            return self.kind is Kind.EIO and operation.operation in APPLIED_TO
        return self.kind in KINDS_OF[operation.operation]


@attrs.frozen
class FaultPair(Fault):
    """*second* strikes in the run that *first* has changed; its number counts the operations of that run."""

    leading: HostFault
    second: HostFault
    group = PAIR
    passes = True

    def __str__(self) -> str:
        return f"{self.leading},{self.second}"

    @property
    def armed_from(self) -> int:
        return self.leading.number

    @property
    def host_faults(self) -> tuple[HostFault, ...]:
        return (self.leading, self.second)

    @property
    def first(self) -> Fault:
        return self.leading


@attrs.define(eq=False)
class Trouble:
    """One failing host operation on its way through a case: what it has struck, and what it would have.

    *again* names the scopes (`kinds.scope_of`) in which it would go on to hit something if it lasted,
    *within* those of them in which it would do so before it could be cleared; *beyond*: it has hit
    something after that.
    """

    fault: HostFault
    first: HostOperation | None = None
    again: set[str] = attrs.field(factory=set)
    within: set[str] = attrs.field(factory=set)
    beyond: bool = False
    _clear: bool = False

    def strikes(self, operation: HostOperation) -> bool:
        """Whether *operation* fails; to be asked about every operation, in order."""
        if self.first is None:
            begins = operation.number == self.fault.number and self.fault.fits(operation)
            self.first = operation if begins else None
            return begins
        hit = scopes(self.first, operation)
        self.again |= hit
        if not self._clear:
            self.within |= hit
        if not self.goes_on or scope_of(self.fault.kind) not in hit:
            return False
        self.beyond = self.beyond or self._clear
        return True

    def clear(self) -> None:
        """Note that trouble which lasts until it is cleared is over now, if it has begun."""
        self._clear = self._clear or self.first is not None

    @property
    def goes_on(self) -> bool:
        """Whether it strikes again whatever the same trouble would hit, once it has begun."""
        return self.fault.span is Span.LASTING or (self.fault.span is Span.CLEARED and not self._clear)


_PATTERN = re.compile(r"(?P<kind>[a-z]+)(?P<applied>!)?(?P<span>[+~])?(?P<number>@.+)")


def _parse(text: str) -> Fault | None:
    first, comma, second = text.partition(",")
    one, other = _parse_one(first), _parse_one(second)
    if not comma:
        return one
    return None if one is None or other is None else FaultPair(one, other)


def _parse_one(text: str) -> HostFault | None:
    match = _PATTERN.fullmatch(text)
    kind = None if match is None else next((kind for kind in Kind if kind.value == match["kind"]), None)
    number = None if match is None else numbered(match["number"], "@")
    if match is None or kind is None or number is None:
        return None
    return HostFault(kind, number, Span(match["span"] or ""), match["applied"] is not None)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    """Yield each kind that applies, in each span: all of one operation in a row (see `judging`)."""
    for operation in chosen:
        for kind in kinds_that_apply(operation):
            yield from _in_every_span(kind, operation, applied=False)
        if operation.operation in APPLIED_TO:
            yield from _in_every_span(Kind.EIO, operation, applied=True)


def _in_every_span(kind: Kind, operation: HostOperation, *, applied: bool) -> Iterator[HostFault]:
    return (HostFault(kind, operation.number, span, applied) for span in _SPANS)


_GROUPS = {kind.value: SAYS.get(kind, f"one host operation fails ({kind.value})") for kind in Kind} | {
    Kind.EIO.value: f"one host operation fails (eio), before its effect or {AFTER_EFFECT}",
}
_HOW_LONG = ": once, lastingly, or until it is cleared"

FAMILY = Family(
    {group: says + _HOW_LONG for group, says in _GROUPS.items()}
    | {PAIR: "a second host operation fails on the way that a first failure made the case take"},
    _parse,
    _listed,
    "host faults",
)
