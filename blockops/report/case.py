"""A case id taken apart: `freeze.as-posted.careful/group-snapshot-2~3fa9c1/eio@17`.

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


def case_name(case: str) -> CaseName:
    """Return the parts of *case*; what a malformed id lacks is empty, so that it can still be shown."""
    contestant, _, rest = case.partition("/")
    place, _, fault = rest.partition("/")
    use_case, _, world = place.partition("~")
    return CaseName(contestant, use_case, world, fault)


def bare_use_case(use_case: str) -> str:
    """Return the use case of a cell without devices, world and pairs: "retry" of "retry-2~3fa9c1 pairs"."""
    return use_case.partition(" ")[0].partition("~")[0].rpartition("-")[0]


def world_of(use_case: str) -> str:
    """Return the digest of the world of a cell's use case, empty for the standard one."""
    return use_case.partition(" ")[0].partition("~")[2]
