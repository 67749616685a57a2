"""Laws about what is said: truthful, names the culprit, repeatable."""

import os
from collections.abc import Iterator, Sequence

from blockops.lab.condition import Condition
from blockops.lab.evidence import Ending, Evidence, Exchange
from blockops.lab.faults.fault import HostOperation
from blockops.lab.laws.atomicity import device_states, is_still_empty
from blockops.lab.laws.data import device_problems
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, held_unless, violated
from blockops.management.desk import Replied

Problem = tuple[str, str]


def truthful(evidence: Evidence) -> Judgement:
    """An error means that nothing changed, success that everything did and that it lasts."""
    if not any(isinstance(exchange.answer, Replied) for exchange in evidence.exchanges):
        return NOT_EXERCISED
    return held_unless(_untruths(evidence))


def _untruths(evidence: Evidence) -> Iterator[Problem]:
    for exchange in evidence.exchanges:
        if isinstance(exchange.answer, Replied) and not exchange.answer.ok:
            yield from _changed(evidence, exchange)
    for number, shown in evidence.kept.items():
        for problem, _ in device_problems(evidence, number, shown, "after a power cut"):
            yield f"the switch to {shown.top} succeeded, and {problem}", "lasting"
    if evidence.ending is Ending.SUCCEEDED and not evidence.killed:
        for number, state in enumerate(device_states(evidence)):
            if state != "new" and f"d{number}" not in evidence.told:
                shown = evidence.live[number]
                yield (
                    f"every command succeeded, and d{number} shows {shown.top or 'no image'}",
                    "success without effect",
                )
        for number, again in enumerate(evidence.reopened):
            if again.problem is not None and not is_still_empty(evidence, number):
                yield (
                    f"every command succeeded, and d{number} does not open again: {again.problem}",
                    "lasting",
                )


def _changed(evidence: Evidence, exchange: Exchange) -> Iterator[Problem]:
    for number, (before, after) in enumerate(zip(exchange.before, exchange.after, strict=True)):
        if before != after and not evidence.is_gone(number):
            shows = f"d{number} shows {after or 'no image'} instead of {before}"
            key = "no image after an error" if after is None else "changed in spite of an error"
            yield f"{exchange.command} replied with an error, and {shows}", key


def names_the_culprit(evidence: Evidence) -> Judgement:
    """An error reply names the device, the file and the cause of the fault, and nobody innocent."""
    failed = [one for one in evidence.exchanges if isinstance(one.answer, Replied) and not one.answer.ok]
    due = [exchange for exchange in failed if _may_be_due_to_a_device(evidence, exchange)]
    if due:
        return held_unless(_device_unnamed(evidence, due[0]))
    blamed = [one for one in failed if one.hits and one.error not in evidence.errors_anyway]
    if not blamed or not evidence.case.fault.host_faults:
        return NOT_EXERCISED
    return held_unless(_unnamed(evidence, blamed[0]))


_SAYS = {
    Condition.ABSENT: "not found",
    Condition.GONE: "not found",
    Condition.EMPTY: "medium",
    Condition.BUSY: "in use",
}
"""What an error must say, whatever its style, of a device that is in this condition.

A read-only device is no reason for an error: it can have an overlay, read-only like itself.
"""


def _unfit(evidence: Evidence) -> dict[str, Condition]:
    disks = enumerate(evidence.case.world.disks())
    found = {disk.device: evidence.conditions.get(number) for number, disk in disks}
    return {device: condition for device, condition in found.items() if condition in _SAYS and condition}


def _may_be_due_to_a_device(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether the command asked for a device that is not fit, or as a commit does for none by name."""
    unfit, asked = _unfit(evidence), str(exchange.arguments)
    named = [disk.device for disk in evidence.case.world.disks() if f"'{disk.device}'" in asked]
    return bool(unfit) and (not named or any(device in unfit for device in named))


def _device_unnamed(evidence: Evidence, exchange: Exchange) -> Iterator[Problem]:
    text, said = _text_of(exchange)
    unfit = _unfit(evidence)
    for disk in evidence.case.world.disks():
        condition = unfit.get(disk.device)
        named = _names(text, disk.device)
        if condition is None and named:
            yield f"{said} and names {disk.device}, which is innocent", "innocent"
        if condition is not None and not named:
            yield f"{said} and does not name the device {disk.device}", "device"
        if condition is not None and _SAYS[condition] not in text:
            yield f"{said} and does not say that {disk.device} is {condition.value}", "cause"


def _names(text: str, device: str) -> bool:
    return f"'{device}'" in text or device in text.split()


def _text_of(exchange: Exchange) -> tuple[str, str]:
    """Return all that an error says, and a beginning for a sentence about it."""
    assert isinstance(exchange.answer, Replied)
    answer = exchange.answer
    text = f"{answer.desc} {' '.join(str(value) for value in (answer.data or {}).values())}"
    return text, f'the error of {exchange.command} says "{answer.desc}"'


def _unnamed(evidence: Evidence, exchange: Exchange) -> Iterator[Problem]:
    text, said = _text_of(exchange)
    hit = _meant(exchange.hits, text)
    owner = owner_of(evidence, hit)
    if hit.path not in text:
        yield f"{said} and does not name the file {hit.path}", "file"
    if owner is not None and not _names(text, owner):
        yield f"{said} and does not name the device {owner}", "device"
    if hit.code and os.strerror(hit.code) not in text:
        yield f"{said} and does not name the cause, {os.strerror(hit.code)}", "cause"
    guilty = {owner_of(evidence, one) for one in exchange.hits}
    for disk in evidence.case.world.disks():
        if owner is not None and disk.device not in guilty and _names(text, disk.device):
            yield f"{said} and names {disk.device}, which is innocent", "innocent"


def _meant(hits: Sequence[HostOperation], text: str) -> HostOperation:
    """Return the hit that the error is about: the first that it names, else the first of all.

    By its whole path: an overlay and the target of its mirror may differ in nothing but the folder.
    Not always the first: a lasting fault may have struck what a command rightly bears with, such as giving
    clusters back after a flush (a leak).  What fails while cleaning up is never what it was about.
    """
    named = (hit for hit in hits if hit.operation != "unlink" and hit.path in text)
    return next(named, hits[0])


def owner_of(evidence: Evidence, operation: HostOperation) -> str | None:
    """Return the device that the file of a host operation belongs to."""
    for disk in evidence.case.world.disks():
        if operation.path in (disk.old.path, disk.overlay, disk.target, disk.target_base):
            return disk.device
    return None


def repeatable(evidence: Evidence) -> Judgement:
    """A second attempt after a failed one ends as a first success would."""
    if evidence.case.use_case.id != "retry" or evidence.killed or not _tried_again(evidence):
        return NOT_EXERCISED
    lasts = evidence.case.fault.stays or bool(evidence.conditions)
    if _trouble_went_on(evidence) or lasts:
        return NOT_EXERCISED
    if evidence.case.fault.restarts_management:
        return NOT_EXERCISED  # a recovery ends an attempt and makes no other
    states = device_states(evidence)
    if evidence.ending is Ending.SUCCEEDED and set(states) == {"new"}:
        return HELD
    each = ", ".join(f"d{number} is {state}" for number, state in enumerate(states))
    return violated(f"the second attempt did not end as a first success: {evidence.failure or each}", "retry")


def _trouble_went_on(evidence: Evidence) -> bool:
    """Whether the fault struck again after the first failed command: then it was in the second one's way."""
    failed = [number for number, one in enumerate(evidence.exchanges) if not _succeeded(one)]
    following = evidence.exchanges[failed[0] + 1 :][:1]
    return any(len(evidence.hits) > exchange.first_hit for exchange in following)


def _succeeded(exchange: Exchange) -> bool:
    return isinstance(exchange.answer, Replied) and exchange.answer.ok


def _tried_again(evidence: Evidence) -> bool:
    """Whether the request whose first attempt failed was sent once more."""
    failed: list[tuple[str, object]] = []
    for exchange in evidence.exchanges:
        request = (exchange.command, exchange.arguments)
        if request in failed:
            return True
        if not _succeeded(exchange):
            failed.append(request)
    return False
