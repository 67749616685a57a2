"""The law about what management does where it does not know what has happened: recoverable.

It is a law about what a program *can* know, so its last word is spoken over all cases of a setting
(`tally`).  One case alone says whether our program ended well in it, and whether anything could have.
"""

from blockops.lab.evidence import Crossroads, Evidence
from blockops.lab.laws.atomicity import all_or_nothing
from blockops.lab.laws.data import content, nothing_lost
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, violated
from blockops.lab.results import Verdict

RECOVERABLE = "recoverable"

INHERENT = "no program could be right"
"""The sort of violation that no program for the same commands, notes and files could avoid."""

MISSED = "our program was wrong"
"""The sort that is not inherent: something was right when it had to be decided."""


def recoverable(evidence: Evidence) -> Judgement:
    """All or nothing, and nothing lost, wherever the outcome of something was unknown."""
    crossroads = evidence.crossroads
    if crossroads is None:
        return NOT_EXERCISED
    wrong = [
        judgement.sentence
        for judgement in (law(evidence) for law in (all_or_nothing, nothing_lost, content))
        if judgement.verdict is Verdict.VIOLATED
    ]
    if wrong and not crossroads.passable:
        return violated(f"no choice would have been right: {wrong[0]}", INHERENT)
    if wrong:
        return violated(
            f"{right_choice(crossroads)} was right when it had to be decided, but {wrong[0]}", MISSED
        )
    for number, (disk, shown) in enumerate(zip(evidence.case.world.disks(), evidence.live, strict=True)):
        booked = evidence.booked.get(disk.device, shown.top)
        if shown.top is not None and booked != shown.top:
            return violated(
                f"the books say {booked} after recovery, and d{number} shows {shown.top}", "books"
            )
    if evidence.unsteady is not None:
        return violated(f"recovering once more changed it: {evidence.unsteady}", "not idempotent")
    return HELD


def right_choice(crossroads: Crossroads) -> str:
    """Name a choice that is right."""
    images = crossroads.old if all(crossroads.old) else crossroads.new
    return ", ".join(f"d{number} on {min(paths)}" for number, paths in enumerate(images))
