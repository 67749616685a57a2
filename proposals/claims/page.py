"""All claims in the order of the page, each with what would confirm it and what would refute it.

The conditions are about one comparison each and are decided in the experiment that is named; nothing here
says how any of them ends.
"""

from collections.abc import Mapping
from functools import partial

from blockops.lab.results import Claim
from proposals.claims import bonzini, cody, handling, liguori, simoncelli
from proposals.claims.claim import Statement, answered

GROUP = partial(Statement, design="group-snapshot")
MIGRATE = partial(Statement, design="drive-migrate")
TRANSACTION = partial(Statement, design="transaction")
FREEZE = partial(Statement, design="freeze")
FOR, AGAINST = "advantage", "disadvantage"
NOTHING = ""
"""No condition and no profile: what the sentence is about cannot be run."""

ALIKE = "no matter: the commands and what they take are the same in both"
BOTH = "both, each for itself: where they disagree there is no answer"
EITHER = "either: what one of them can do, the interface allows"
HARDENED = "hardened: the best that the commands allow"
POSTED = "as posted: it is about what the patches changed, and hardening is that change made everywhere"

_ALL = (
    GROUP(
        id="J1",
        side=FOR,
        says="The patches are almost ready.",
        asks="none",
        profiles=NOTHING,
        confirms=NOTHING,
        refutes=NOTHING,
        experiment=cody.almost_ready,
    ),
    GROUP(
        id="J2",
        side=FOR,
        says="A simple interface: one command.",
        asks="Every use case that it expresses, with 1, 2, 4 and 8 disks and with each proposal: round "
        "trips, states that the server keeps, branches of the careful manager.",
        profiles=ALIKE,
        confirms="one round trip for any number of disks, and no other proposal needs fewer round trips, "
        "states or branches",
        refutes="its round trips grow with the disks, or another proposal needs fewer of them",
        experiment=cody.one_command,
    ),
    GROUP(
        id="J3",
        side=AGAINST,
        says="No reopening and no mirroring.",
        asks="Every use case that needs one of them, with the arguments that the page gives it; and a mirror "
        "that follows the group snapshot as a command of its own, with a guest that writes between the two.",
        profiles=ALIKE,
        confirms="it can express none of them, and the later mirror misses what was written in between",
        refutes="it can express one",
        experiment=cody.no_reopen_no_mirror,
    ),
    GROUP(
        id="J4",
        side=AGAINST,
        says="They can be added later, but before 1.1 if the API has to change for it.",
        asks="Two ways to carry a second kind of action in the schema (an optional member, tagged entries), "
        "old and new clients against each, new clients against an old server.",
        profiles=ALIKE,
        confirms="one way serves old and new clients and is not misread by an old server, the other breaks "
        "the old ones",
        refutes="no way serves both, or neither breaks anybody",
        experiment=cody.adding_later,
    ),
    GROUP(
        id="J5",
        side=AGAINST,
        says="The better error handling does not reach blockdev-snapshot-sync.",
        asks="One disk, as posted, with that command and with a group of one: every operation of the "
        "host fails "
        "once, lastingly, or for want of file handles.",
        profiles=POSTED,
        confirms="the old command leaves a disk without an image, the group of one never does",
        refutes="the old command never does, or the group does too",
        experiment=cody.single_command_left_behind,
    ),
    MIGRATE(
        id="F1",
        side=FOR,
        says="The patches are on the mailing list.",
        asks="none",
        profiles=NOTHING,
        confirms=NOTHING,
        refutes=NOTHING,
        experiment=simoncelli.patches_posted,
    ),
    MIGRATE(
        id="F2",
        side=AGAINST,
        says="A complicated interface, tailored to oVirt's use case alone.",
        asks="Snapshot, mirror, reopen, and snapshot with mirror, of one disk, with drive-migrate alone "
        "and with each proposal's commands, in either profile; what loses a write does not count.",
        profiles=EITHER,
        confirms="drive-migrate carries the last and no other, its commands reach fewer of the four than "
        "another proposal's, and no command of the page takes more arguments",
        refutes="drive-migrate carries more than one, or its commands reach all four",
        experiment=simoncelli.tailored,
    ),
    MIGRATE(
        id="F3",
        side=AGAINST,
        says="It does not extend to mirroring several devices.",
        asks="Mirror two disks, nothing broken, while a guest writes across them, runs ahead or lags behind "
        "between any two steps; then with every operation of the host failing once, and a manager that dies.",
        profiles=BOTH,
        confirms="in both profiles it leaves, with nothing broken, mirrors that no single instant explains, "
        "and neither transaction nor freeze does",
        refutes="in neither profile it does",
        experiment=simoncelli.one_disk_a_call,
    ),
    TRANSACTION(
        id="P1",
        side=FOR,
        says="All cases are handled uniformly.",
        asks="A transaction of snapshots, of reopens, of mirrors and of one of each, under a manager that "
        "stops at the first error, each operation of the hypervisor on the host failing once or lastingly: "
        "does it end with some disks changed and others not?",
        profiles=BOTH,
        confirms="in both profiles it takes all of them, and none ends half done or each can",
        refutes="in neither profile",
        experiment=bonzini.uniform,
    ),
    TRANSACTION(
        id="P2",
        side=FOR,
        says="oVirt's use case falls out nicely.",
        asks="Snapshot and mirror, commit, copy the base, reopen, and compare bytes; then with the two "
        "reversed, then as two commands; and the whole migration while a guest runs, ahead or behind.",
        profiles=BOTH,
        confirms="in both profiles, in order not a byte differs, and the migration breaks no law with "
        "nothing broken",
        refutes="in both profiles a byte differs, or a law is broken",
        experiment=bonzini.ovirt,
    ),
    TRANSACTION(
        id="P3",
        side=FOR,
        says="The better error handling extends to blockdev-snapshot-sync.",
        asks="One disk, as posted, with that command by itself and inside a transaction, with the faults "
        "of J5.",
        profiles=POSTED,
        confirms="by itself it leaves a disk without an image, inside a transaction never",
        refutes="inside a transaction it does so, too",
        experiment=bonzini.reaches_the_single_command,
    ),
    TRANSACTION(
        id="P4",
        side=AGAINST,
        says="It needs changes to the group snapshot's patches.",
        asks="A proxy: how much of the group's machinery does the session call as it is?",
        profiles=NOTHING,
        confirms=NOTHING,
        refutes=NOTHING,
        experiment=bonzini.changes_to_the_group,
    ),
    TRANSACTION(
        id="P5",
        side=AGAINST,
        says="It needs core changes, though most of the algorithms are in the group snapshot's patches.",
        asks="A proxy, on our code: the states that the session adds, every move tried in each; of the "
        "functions that a session of snapshots runs through, those that the group snapshot does as well.",
        profiles=HARDENED,
        confirms="it adds states, and more than half of what it runs through is the group snapshot's",
        refutes="it adds none, or half of it or less is",
        experiment=bonzini.core_changes,
    ),
    TRANSACTION(
        id="P6",
        side=AGAINST,
        says="blockdev-snapshot-sync would have to change to work inside a transaction.",
        asks="A proxy: the same command in and out of a session: what differs?",
        profiles=NOTHING,
        confirms=NOTHING,
        refutes=NOTHING,
        experiment=bonzini.single_command_must_change,
    ),
    FREEZE(
        id="A1",
        side=FOR,
        says="It poses the fewest problems in adding kinds of operations.",
        asks="Add resize to each proposal and count the places touched; then let the second of two disks "
        "fail "
        "to grow: who takes the first one back?",
        profiles=HARDENED,
        confirms="no other proposal needs fewer places, and none leaves fewer disks half done",
        refutes="another needs fewer places, and another leaves fewer disks half done",
        experiment=liguori.fewest_problems,
    ),
    FREEZE(
        id="A2",
        side=FOR,
        says="oVirt's use case falls out nicely.",
        asks="Freeze, snapshot, mirror, unfreeze, copy, reopen, delete the source, and compare bytes, with a "
        "target made beforehand and one that the mirror makes; and the whole migration while a guest runs.",
        profiles=BOTH,
        confirms="in both profiles, onto a target made beforehand not a byte differs, and the migration "
        "breaks no law with nothing broken",
        refutes="in both profiles a byte differs, or a law is broken",
        experiment=liguori.ovirt,
    ),
    FREEZE(
        id="A3",
        side=FOR,
        says="It subsumes group snapshots.",
        asks="The same snapshot of 1, 2, 4 and 8 disks with both, side by side in both profiles, and every "
        "file compared; then of two disks while a guest writes across them, runs ahead or lags behind.",
        profiles=BOTH,
        confirms="every file is equal, and with nothing broken neither ever breaks a law",
        refutes="a file differs, or with nothing broken freeze breaks a law",
        experiment=liguori.subsumes_group_snapshots,
    ),
    FREEZE(
        id="A4",
        side=AGAINST,
        says="But management would have to provide its own error handling.",
        asks="A manager that stops at the first error, every operation of the host failing once; and what "
        "the careful manager takes.",
        profiles=BOTH,
        confirms="in both profiles disks stay half changed or held back with freeze and never with the group "
        "snapshot, and the careful manager needs more branches and more steps that can fail",
        refutes="in neither profile they do more often than with the group snapshot",
        experiment=handling.own_error_handling,
    ),
    FREEZE(
        id="A5",
        side=AGAINST,
        says="It needs changes to the group snapshot's patches.",
        asks="none",
        profiles=NOTHING,
        confirms=NOTHING,
        refutes=NOTHING,
        experiment=liguori.changes_to_the_group,
    ),
    FREEZE(
        id="A6",
        side=AGAINST,
        says="Management probably cannot provide as good an error handling.",
        asks="The careful manager: every operation of the host fails once and lastingly; every one of the "
        "hypervisor fails, and for good each operation that comes of it, so that the roll-back fails too; "
        "management dies at every step, for good or to be started again.",
        profiles=BOTH,
        confirms="in both profiles, of disks half changed, disks held back and writes lost some are more "
        "than with the group snapshot, and none fewer",
        refutes="in neither profile any are more",
        experiment=handling.cannot_match_it,
    ),
    FREEZE(
        id="A7",
        side=AGAINST,
        says="Freeze and unfreeze need core changes.",
        asks="A proxy: a snapshot of a frozen disk with a write waiting, the freeze built on the queue that "
        "drain waits for, and behind a gate of its own.",
        profiles=HARDENED,
        confirms="on the queue it waits for ever or drain lets the write through; behind the gate neither",
        refutes="on the queue neither happens",
        experiment=liguori.core_changes,
    ),
)

CLAIMS: Mapping[str, Statement] = {statement.id: statement for statement in _ALL}
"""All claims by id, in the order of the page."""


def answer(name: str) -> Claim:
    """Run the experiment of one claim."""
    return answered(CLAIMS[name])
