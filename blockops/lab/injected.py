"""Errors that were injected, and what somebody asked of them other than to print them.

Two failures that differ only in what nobody asked for are the same case, but for words: `judging` runs
only one of them.
"""

import errno

import attrs

from blockops.errors import Effect, HostError


@attrs.define(eq=False)
class Asked:
    """What was asked about the injected errors of one case.

    *errnos*: those with which an errno was compared; *effect*: somebody asked what holds after an error.
    """

    errnos: set[int] = attrs.field(factory=set)
    effect: bool = False


class Errno(int):
    """An errno that notices with which it is compared; a lookup may compare it with any."""

    asked: Asked

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            self.asked.errnos.add(int(other))
        return int.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        self.asked.errnos.update(errno.errorcode)
        return int.__hash__(self)


class InjectedError(HostError):
    """The error of an operation that was made to fail; it notices who asks for its errno or its effect."""

    _asked: Asked | None = None

    def watched(self, asked: Asked) -> "InjectedError":
        """Note in *asked*, from now on."""
        self._asked = asked
        return self

    @property
    def code(self) -> int:
        if self._asked is None:
            return self._code
        code = Errno(self._code)
        code.asked = self._asked
        return code

    @code.setter
    def code(self, code: int) -> None:
        self._code = code

    @property
    def effect(self) -> Effect:
        if self._asked is not None:
            self._asked.effect = True
        return self._effect

    @effect.setter
    def effect(self, effect: Effect) -> None:
        self._effect = effect

    @property
    def message(self) -> str:
        return HostError(self.operation, self.path, self._code, self.offset).message
