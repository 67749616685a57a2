"""Names taken apart: `freeze.as-posted.careful/retry-2~3fa9c1/eio@17`, a case, and `retry-2 pairs`, a place.

Only what a report needs in order to file a violation under its row and column; the lab, which runs
cases, has its own reading of the last part.
"""

import attrs


@attrs.frozen
class CaseName:
    """Who was judged (*contestant* is its full id), for what, in which world, under which fault."""

    contestant: str
    use_case: str
    world: str
    fault: str

    @property
    def setting(self) -> str:
        """The use case with its devices and world, as the id has it."""
        return f"{self.use_case}~{self.world}" if self.world else self.use_case


def case_name(case: str) -> CaseName:
    """Return the parts of *case*; what a malformed id lacks is empty, so that it can still be shown."""
    contestant, _, rest = case.partition("/")
    place, _, fault = rest.partition("/")
    use_case, _, world = place.partition("~")
    return CaseName(contestant, use_case, world, fault)


@attrs.frozen
class Place:
    """Where a cell was judged: the *use_case* without *devices*, the digest of its world, the sort of faults.

    *world* is empty for the standard one, *faults* for single faults that strike as they come.
    """

    use_case: str
    devices: str
    world: str
    faults: str


def place_of(name: str) -> Place:
    """Return the parts of a cell's use case: "retry-2~3fa9c1 pairs" has all four."""
    setting, _, faults = name.partition(" ")
    numbered, _, world = setting.partition("~")
    use_case, _, devices = numbered.rpartition("-")
    return Place(use_case, devices, world, faults)


def setting_of(name: str) -> str:
    """Return a cell's use case without the sort of faults: what the ids of its cases have."""
    return name.partition(" ")[0]
