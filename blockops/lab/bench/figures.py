"""What a measurement says."""

import attrs


@attrs.define
class Rate:
    """Things done in so many seconds: those *run*, and those *remembered*, which cost next to nothing."""

    name: str
    run: int = 0
    remembered: int = 0
    seconds: float = 0.0
    broken: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """How many were run per second; what was remembered does not count."""
        return self.run / self.seconds if self.seconds else 0.0

    @property
    def with_remembered(self) -> float:
        """How many per second, those answered from memory among them."""
        return (self.run + self.remembered) / self.seconds if self.seconds else 0.0


@attrs.define
class Power:
    """Power cuts of one setting: *distinct* states judged in so many seconds, and *equal* ones met beside.

    *recovered*: so many disks were recovered; states of equal disks after other promises share one.
    """

    name: str
    distinct: int = 0
    equal: int = 0
    recovered: int = 0
    seconds: float = 0.0
    broken: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """How many distinct states were judged per second."""
        return self.distinct / self.seconds if self.seconds else 0.0


@attrs.frozen
class OfDevices:
    """What a case takes with so many devices."""

    devices: int
    rate: Rate

    @property
    def milliseconds(self) -> float:
        """What one case takes."""
        return 1000 * self.rate.seconds / self.rate.run if self.rate.run else 0.0


@attrs.frozen
class Line:
    """The straight line nearest to the costs: milliseconds at no device, for each, and the worst miss.

    *off* is the largest distance of a cost from the line, as a part of that cost.
    """

    start: float
    each: float
    off: float


def straight(costs: list[OfDevices]) -> Line:
    """Return the line of least squares; through fewer than two costs a level one."""
    count = len(costs)
    if count < 2:
        return Line(costs[0].milliseconds if costs else 0.0, 0.0, 0.0)
    mean_x = sum(one.devices for one in costs) / count
    mean_y = sum(one.milliseconds for one in costs) / count
    spread = sum((one.devices - mean_x) ** 2 for one in costs)
    each = sum((one.devices - mean_x) * (one.milliseconds - mean_y) for one in costs) / spread
    start = mean_y - each * mean_x
    misses = (abs(one.milliseconds - start - each * one.devices) / one.milliseconds for one in costs)
    return Line(start, each, max(misses, default=0.0))
