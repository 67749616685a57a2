"""Which of our functions a piece of work runs through, whether it ends well or breaks at any operation."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

from blockops.commands.profile import Profile
from proposals.claims.bench import Bench, bench, tried


def functions(work: Callable[[Bench], None], *packages: str) -> frozenset[str]:
    """Return the functions of these packages that *work* calls, undisturbed and with each operation failing.

    Those that only make or hold values, whose names begin with two underscores, are left out.
    """
    sound = bench(Profile.HARDENED)
    found = _called(partial(work, sound), packages)
    for operation in sound.clock.operations:
        broken = bench(Profile.HARDENED, fault=f"eio@{operation.number}")
        found |= _called(partial(tried, partial(work, broken)), packages)
    return frozenset(found)


def _called(work: Callable[[], object], packages: tuple[str, ...]) -> set[str]:
    found: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        name = frame.f_code.co_qualname
        ours = any(module == package or module.startswith(f"{package}.") for package in packages)
        if event == "call" and ours and "<" not in name and not name.rpartition(".")[2].startswith("__"):
            found.add(f"{module}.{name}")

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(previous)
    return found
