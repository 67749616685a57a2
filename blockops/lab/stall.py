"""How long the guest stood still: its longest standstill, in its own steps and in host operations."""

import attrs


@attrs.define
class Stall:
    """The longest standstill so far: *steps* that the guest could not take, *operations* done meanwhile."""

    steps: int = 0
    operations: int = 0
    _standing: int = 0
    _since: int = 0

    def moved(self, number: int) -> None:
        """Note that the guest got on, when *number* host operations had been done."""
        self._standing, self._since = 0, number

    def turn(self, number: int) -> None:
        """Note that it is the guest's turn again, when *number* host operations have been done."""
        if self._standing:
            self.operations = max(self.operations, number - self._since)

    def stood(self) -> None:
        """Note that it could not take its step."""
        self._standing += 1
        self.steps = max(self.steps, self._standing)
