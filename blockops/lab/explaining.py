"""Explaining one case: what was wanted and what is there, as plain values out of the evidence.

It runs no case and judges none: `replay` has done both.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from blockops.lab.evidence import Evidence, Exchange
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.images import chain_on_disk
from blockops.lab.laws import LAWS
from blockops.lab.laws.atomicity import device_states
from blockops.lab.power.models import MEANING, Model
from blockops.lab.replay import Replayed
from blockops.lab.results import Law, Verdict


@attrs.frozen
class Sent:
    """A command as it crossed the wire, and what management got for it in words."""

    command: str
    arguments: dict[str, Any]
    answer: str


@attrs.frozen
class DeviceSeen:
    """One device: what it was to show, and what is there.

    *old*, *new*: the images that it may show as long as the use case has no effect, and after it;
    *mirror*: the image that its writes are to go to as well.  *state*: "old", "new" or "neither"; *gone*: it
    was unplugged since management began.  *shows*: the image that it shows in the hypervisor that lives
    (after a crash: the restarted one), *problem*: why that cannot be read; *mirrors*: where its writes go
    besides.  *on_disk*: the chain that the headers on the disk give from there, top first, *unreadable*: why
    a fresh process cannot read it.  *booked*: the image that management's configuration named when the case
    had come to rest, before any recovery.
    """

    device: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    mirror: str | None
    state: str
    gone: bool
    shows: str | None
    problem: str | None
    mirrors: tuple[str, ...]
    on_disk: tuple[str, ...]
    unreadable: str | None
    booked: str | None


@attrs.frozen
class Breach:
    """A violated law: when it applies and what it says, in its own words, and what was found instead."""

    law: str
    precondition: str
    says: str
    found: str


@attrs.frozen
class Survival:
    """What a power cut left: the *state*'s name, and what survives by its model.

    *before*: the operation of the recovery at which it struck; null for the first cut.
    """

    state: str
    says: str
    before: int | None


@attrs.frozen
class Explanation:
    """A case in values: what was wanted, what struck, what was said, what is there, what broke.

    *injected*: the fault's name in the case's id; *fault*: what it hit, in words; *survived*: what its power
    cuts left; *out_of_turn*: who stepped before the scheduler's turn.
    *killed*: the hypervisor was, and was restarted on what management's recovery had left; *power_lost*: by a
    power cut of the whole host; *ending* and *failure*: how management ended, and with which error;
    *created*, *removed*: files that are new and those that are gone, management's own left out;
    *verdicts*: by law.  *masked*: the fault struck, and nothing is visible of it.
    *undecided*: the law *recoverable* is held by this case alone, and has its last word
    over all cases that look alike.
    """

    case: str
    design: str
    wanted: str
    injected: str
    fault: str
    survived: tuple[Survival, ...]
    out_of_turn: tuple[str, ...]
    killed: bool
    power_lost: bool
    sent: tuple[Sent, ...]
    ending: str
    failure: str
    devices: tuple[DeviceSeen, ...]
    created: tuple[str, ...]
    removed: tuple[str, ...]
    breaches: tuple[Breach, ...]
    verdicts: dict[str, str]
    masked: bool
    undecided: bool


def explained(replayed: Replayed) -> Explanation:
    """Return what a reader needs to see why each violated law of a replayed case is violated."""
    evidence, verdicts = replayed.evidence, {law: one.verdict for law, one in replayed.judgements.items()}
    before, after = set(evidence.digests_before), set(evidence.digests_after)
    crossed = evidence.crossroads is not None
    return Explanation(
        case=replayed.case,
        design=evidence.case.contestant.entry.title,
        wanted=evidence.case.use_case.wants,
        injected=str(evidence.case.fault),
        fault=replayed.fault_point,
        survived=tuple(_survivals(evidence.case.fault)),
        out_of_turn=tuple(departure.words for departure in evidence.case.order.departures),
        killed=evidence.killed,
        power_lost=evidence.power_lost,
        sent=tuple(map(_sent, evidence.exchanges)),
        ending=evidence.ending.value,
        failure=evidence.failure,
        devices=tuple(_devices(evidence)),
        created=tuple(sorted(after - before)),
        removed=tuple(sorted(before - after)),
        breaches=tuple(_breach(law, replayed) for law in LAWS if verdicts[law.id] is Verdict.VIOLATED),
        verdicts={law: verdict.value for law, verdict in verdicts.items()},
        masked=replayed.masked,
        undecided=crossed and verdicts["recoverable"] is Verdict.HELD,
    )


def _survivals(fault: Fault) -> Iterator[Survival]:
    if not isinstance(fault, PowerLoss):
        return
    cuts: list[tuple[str, int | None]] = [(fault.state, None)]
    for state, before in [*cuts, fault.again] if fault.again else cuts:
        yield Survival(state, MEANING[Model(state.partition("+")[0])], before)


def _sent(exchange: Exchange) -> Sent:
    answer = "no answer" if exchange.answer is None else str(exchange.answer)
    return Sent(exchange.command, dict(exchange.arguments), answer)


def _devices(evidence: Evidence) -> Iterator[DeviceSeen]:
    states, expected, live = device_states(evidence), evidence.case.expectations, evidence.live
    for number, disk in enumerate(evidence.case.world.disks()):
        wanted, shown = expected[number], live[number]
        yield DeviceSeen(
            device=disk.device,
            old=wanted.old_tops,
            new=wanted.new_tops,
            mirror=wanted.mirrored_onto,
            state=states[number],
            gone=evidence.is_gone(number),
            shows=shown.top,
            problem=shown.problem,
            mirrors=shown.mirrors,
            on_disk=() if shown.top is None else tuple(chain_on_disk(evidence.disk, shown.top)),
            unreadable=evidence.reopened[number].problem,
            booked=evidence.books.get(disk.device),
        )


def _breach(law: Law, replayed: Replayed) -> Breach:
    return Breach(law.id, law.precondition, law.says, replayed.judgements[law.id].sentence)
