"""How each class of failure is recognised in a case: violated where a contestant suffers it.

Each oracle looks at what only this class leaves behind, and says nothing (not exercised) where the case
could not have shown it.
"""

import contextlib
from collections.abc import Mapping

from blockops.errors import BlockError
from blockops.host.memory import MemoryFolder
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.faults.fault import HostOperation
from blockops.lab.images import chain_on_disk
from blockops.lab.laws.atomicity import all_or_nothing, device_states, one_instant
from blockops.lab.laws.house import released, tidy
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, violated
from blockops.lab.laws.words import repeatable, truthful
from blockops.lab.results import Verdict
from blockops.lab.world import MANAGEMENT
from blockops.management.desk import Answer, Desk, Lost, Replied
from blockops.steps import Phase, Step, Steps, run


def stuck_frozen(evidence: Evidence) -> Judgement:
    """A guest is still held back although everybody has gone: whatever failed, the controller included."""
    if evidence.killed or not evidence.gate_closed:
        return NOT_EXERCISED
    held = evidence.rest.held_back
    return violated(held[0], "held back") if held else HELD


def freeze_downgraded(evidence: Evidence) -> Judgement:
    """Success was reported, and between the first switch and the last the guest was not held back."""
    states = device_states(evidence)
    if evidence.ending is not Ending.SUCCEEDED or evidence.killed or set(states) != {"new"}:
        return NOT_EXERCISED
    if not evidence.loose:
        return HELD
    loose = ", ".join(f"d{number}" for number in sorted(evidence.loose))
    return violated(f"success was reported, and {loose} went on between the first switch and the last", "")


def leftover(evidence: Evidence) -> Judgement:
    """An error was reported, and there are files that were not there before."""
    return NOT_EXERCISED if evidence.ending is not Ending.FAILED else tidy(evidence)


def half_switched(evidence: Evidence) -> Judgement:
    """The hypervisor lives, and some devices have moved and others not."""
    return NOT_EXERCISED if evidence.killed else all_or_nothing(evidence)


def books_disagree(evidence: Evidence) -> Judgement:
    """Whoever starts the machine by management's record would leave out an image that a device shows.

    The record is all that stands on the disk, notes and a design's own journal included: a new manager reads
    it whom no hypervisor answers.  An image above the one that is shown leaves nothing out.  Where the books
    themselves could not be read or written, it is their storage that has failed, and no design.
    """
    if evidence.killed or not evidence.began or any(map(_strikes_the_books, evidence.hits)):
        return NOT_EXERCISED
    record = _by_the_record(evidence)
    for disk, shown in zip(evidence.case.world.disks(), evidence.live, strict=True):
        named = record.get(disk.device, "")
        if shown.top is not None and shown.top not in chain_on_disk(evidence.disk, named):
            return violated(f"{disk.device} shows {shown.top}, the record says {named or 'nothing'}", "books")
    return HELD


def _strikes_the_books(hit: HostOperation) -> bool:
    return hit.actor == "management" and hit.path.startswith(MANAGEMENT)


def _by_the_record(evidence: Evidence) -> dict[str, str]:
    """Return which image each device would be started on, were the hypervisor gone."""
    case, disk = evidence.case, evidence.disk.fork()
    desk = Desk(MemoryFolder(disk), _nobody, volumes=case.world.volume_names())
    with contextlib.suppress(BlockError):  # then the books stand as it left them
        run(case.contestant.recover(desk, case.use_case.wish(case.world.disks())))
    return {device: image.path for device, image in desk.configuration().items()}


def _nobody(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
    yield Step(Phase.SEND, command)
    return Lost()


def skewed_cut(evidence: Evidence) -> Judgement:
    """The images hold a write without one that had been acknowledged before it was submitted."""
    return one_instant(evidence)


def unknown_outcome(evidence: Evidence) -> Judgement:
    """What was sent again after a failure did not end as a first success."""
    return repeatable(evidence)


def membership(evidence: Evidence) -> Judgement:
    """Of the devices that are there some moved and others not, or stand still, or a reply is not true."""
    found = [law(evidence) for law in (all_or_nothing, released, truthful)]
    bad = [one for one in found if one.verdict is Verdict.VIOLATED]
    return bad[0] if bad else found[0]


def engine(evidence: Evidence) -> Judgement:
    """The block layer itself: an invariant breaks, a wait never ends, a mirror stays after a refusal."""
    if evidence.broken:
        return violated(evidence.broken[0], "broken")
    if evidence.ending is Ending.STUCK:
        return violated("management waits for an answer that never comes", "stuck")
    if evidence.killed or not evidence.replied:
        return NOT_EXERCISED
    answers = [exchange.answer for exchange in evidence.exchanges]
    refused = any(isinstance(answer, Replied) and not answer.ok for answer in answers)
    for number, shown in enumerate(evidence.live):
        if shown.mirrors and refused:
            return violated(f"d{number} is still mirrored onto {shown.mirrors[0]}", "mirrored")
    return HELD
