"""The laws: what it means to change several disks atomically, each worded once and judged by one function.

What each makes of a device that is gone, or was not as it should be from the beginning, is defined where
those conditions are (`condition`).

A law is judged when the case has come to rest.  Its precondition decides whether the case says anything
about it at all: a case that does not exercise a law never counts as held.
"""

from collections.abc import Callable, Mapping, Sequence

from blockops.lab.evidence import Evidence
from blockops.lab.laws.atomicity import all_or_nothing, one_instant
from blockops.lab.laws.data import content, guest_undisturbed, nothing_lost
from blockops.lab.laws.house import progress, released, same_after_reopen, sound, tidy
from blockops.lab.laws.judgement import Judgement
from blockops.lab.laws.recovery import recoverable
from blockops.lab.laws.words import names_the_culprit, repeatable, truthful
from blockops.lab.probing import PROBE_STEPS
from blockops.lab.results import Law

_JUDGED: list[tuple[Law, Callable[[Evidence], Judgement]]] = [
    (
        Law(
            "all-or-nothing",
            "there are two devices or more (one that was unplugged meanwhile does not count, nor, after a "
            "crash, which ends every mirror, one that was to be mirrored), and management sent a command",
            "Every device is in its old state, or every device is in its new one; a device without an "
            "image is in neither, unless it had none when management began: then that is its old state, and "
            "to show its old image is in neither.",
        ),
        all_or_nothing,
    ),
    (
        Law(
            "one-instant",
            "two devices or more moved on, and a dependency of the guest's writes straddles that moment",
            "If the point-in-time images hold a write, they hold every write that was acknowledged (where "
            "power was lost: durable) before "
            "that one was submitted, on whatever device; to hold a write is to show it or a later one, or a "
            "later discard. The images are those left behind; where mirrors are wanted, what the devices "
            "showed when those began; and, a set of its own, what they showed when they left their mirrors "
            "for the targets.",
        ),
        one_instant,
    ),
    (
        Law(
            "content",
            "the guest wrote, or there was initial data",
            "Each byte is that of its last acknowledged write or of one in flight together with it, or else "
            "its initial content; a discard leaves zeroes; the size is unchanged: live, after a reopen from "
            "the disk, and on the target of a mirror that is wanted.",
        ),
        content,
    ),
    (
        Law(
            "nothing-lost",
            "a write was acknowledged; after a crash: acknowledged and flushed",
            "That write is readable; after a crash, in the images that the restart opens.",
        ),
        nothing_lost,
    ),
    (
        Law(
            "guest-undisturbed",
            "nothing was broken, or the fault struck the operation alone: a command, management, or a "
            "mirror's target",
            "No request of the guest fails.",
        ),
        guest_undisturbed,
    ),
    (
        Law(
            "released",
            "a device was paused or reserved, or a command ran",
            "At rest no device is held back or reserved, none is mirrored unless the use case wants it and "
            "every one is in its new state or management has succeeded, and no file is held open for nobody.",
        ),
        released,
    ),
    (
        Law(
            "sound",
            "an image is reachable or owed",
            "The checker finds no corruption in it; an owed image has the size, the backing and the formats "
            "that were intended.",
        ),
        sound,
    ),
    (
        Law(
            "tidy",
            "management was answered to the end",
            "The files are those from before and those owed (after an error: those that the use case lets "
            "management keep), and no existing file was overwritten; a file "
            "whose removal failed is excused if the error names it.",
        ),
        tidy,
    ),
    (
        Law(
            "truthful",
            "a reply was received",
            "An error means that no device changed; success of every command means that every device is "
            "new (unless an event has told that its job has ended), and is so still after a reopen; success "
            "of a switch means that the image outlasts a power cut, with all that the guest had flushed.",
        ),
        truthful,
    ),
    (
        Law(
            "names-the-culprit",
            "a command replied with an error because a host operation had failed, or a device was not as it "
            "should be",
            "What crosses the wire names the device, the file (where it was one) and the cause, and nobody "
            "innocent.",
        ),
        names_the_culprit,
    ),
    (
        Law(
            "same-after-reopen",
            "the hypervisor lived to the end",
            "The chain of images that a reopen from the disk gives is the live one, filters aside.",
        ),
        same_after_reopen,
    ),
    (
        Law(
            "repeatable",
            "a request was sent again after it had failed, and the fault was gone",
            "The second attempt ends as a first success would.",
        ),
        repeatable,
    ),
    (
        Law(
            "recoverable",
            "the hypervisor was killed, a command stayed without an answer, or a new management process "
            "took the place of a dead one",
            "All or nothing, nothing lost, after recovery. Of cases that look the same to a recovering "
            "program (notes, configuration, replies, files, query-block) at least one choice is right in "
            "all of them; where none is, no program could be right. The books then say what is shown, and "
            "recovering twice is recovering once.",
        ),
        recoverable,
    ),
    (
        Law(
            "progress",
            "the host, a device or the channel had failed and fails no more, and the hypervisor lives",
            f"On every device a snapshot to a fresh name succeeds within {PROBE_STEPS} steps, and the guest "
            "reads back and flushes what it writes next.",
        ),
        progress,
    ),
]

_LAWS = [law for law, _ in _JUDGED]

LAWS: Sequence[Law] = _LAWS
"""All laws in the order in which a report shows them."""


def register(law: Law, verdict: Callable[[Evidence], Judgement]) -> None:
    """Add a law of somebody else's; ValueError where its id is taken."""
    if any(known.id == law.id for known in _LAWS):
        raise ValueError(f"there is a law '{law.id}' already")
    _JUDGED.append((law, verdict))
    _LAWS.append(law)


def judge(evidence: Evidence) -> Mapping[str, Judgement]:
    """Return what each law says of the case."""
    return {law.id: verdict(evidence) for law, verdict in _JUDGED}
