"""Laws about the guest's data: content, nothing lost, guest undisturbed."""

from collections.abc import Iterator

from blockops.errors import DeviceHasNoMedium
from blockops.lab.condition import Condition
from blockops.lab.evidence import Evidence, Shown
from blockops.lab.history import GuestError, Written
from blockops.lab.laws.atomicity import is_still_empty
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, held_unless, violated
from blockops.lab.pieces import deviations, name_of
from blockops.units import SECTOR

Problem = tuple[str, str]


def content(evidence: Evidence) -> Judgement:
    """Each byte is of its last acknowledged write, of one in flight with it, or its initial content."""
    return held_unless(_content_problems(evidence))


def _content_problems(evidence: Evidence) -> Iterator[Problem]:
    for sentence in evidence.history.misread:
        yield sentence, "misread"
    for number, (live, again) in enumerate(zip(evidence.live, evidence.reopened, strict=True)):
        if is_still_empty(evidence, number):
            continue
        if not evidence.killed:
            yield from device_problems(evidence, number, live, "live")
        if evidence.killed or (again.data, again.size, again.problem) != (live.data, live.size, live.problem):
            yield from device_problems(evidence, number, again, "after a reopen")
    for number, target in evidence.targets.items():
        yield from device_problems(evidence, number, target, "on its mirror's target")


def device_problems(evidence: Evidence, number: int, shown: Shown, when: str) -> Iterator[Problem]:
    """Yield what a device lacks that shows this, as (sentence, sort)."""
    size = evidence.sizes[number]
    if shown.top is None or shown.problem is not None:
        yield f"d{number} cannot be read {when}: {shown.problem}", f"unreadable {when}"
    elif shown.size != size:
        yield f"d{number} has {shown.size} bytes {when} instead of {size}", f"size {when}"
    else:
        yield from _sector_problems(evidence, number, shown, when)


def _sector_problems(evidence: Evidence, number: int, shown: Shown, when: str) -> Iterator[Problem]:
    cut, initial = evidence.pieces_of(number), evidence.initial[number]
    for wrong in deviations(cut, shown.data, initial, evidence.promised):
        found, wanted = wrong.found or "bytes that nobody wrote there", ", ".join(wrong.allowed)
        yield f"{_place(number, wrong.piece.start)} holds {found} {when}, not {wanted}", f"wrong {when}"


def _place(device: int, start: int) -> str:
    sector, inside = divmod(start, SECTOR)
    where = f"byte {inside} of sector {sector}" if inside else f"sector {sector}"
    return f"{where} of d{device}"


def nothing_lost(evidence: Evidence) -> Judgement:
    """What was acknowledged (after a crash: and flushed) is readable."""
    promised = [written for written in evidence.history.writes if _promised_data(evidence, written)]
    if not promised:
        return NOT_EXERCISED
    views = evidence.reopened if evidence.killed else evidence.live
    return held_unless(_losses(evidence, promised, views))


def _promised_data(evidence: Evidence, written: Written) -> bool:
    return not written.discards and evidence.promised(written)


def _losses(evidence: Evidence, promised: list[Written], views: tuple[Shown, ...]) -> Iterator[Problem]:
    how = "acknowledged and flushed" if evidence.killed else "acknowledged"
    for device in dict.fromkeys(written.device for written in promised):
        shown = views[device]
        if shown.top is None or shown.problem is not None:
            first = next(written for written in promised if written.device == device)
            lost = f"{name_of(first)} on d{device}, {how}, is not readable"
            yield f"{lost}: {shown.problem}", "device unreadable"
            continue
        for written in _lost_on(evidence, device, shown.data):
            lost = f"{name_of(written)} on d{device}, {how}, is not readable"
            yield f"{lost}: {shown.top} does not have it", "write missing"


def _lost_on(evidence: Evidence, device: int, data: bytes) -> Iterator[Written]:
    """Yield promised writes of which a piece shows neither them nor anything that came after."""

    def relied_on(written: Written) -> bool:
        return _promised_data(evidence, written)

    for piece in evidence.pieces_of(device):
        latest = piece.latest(relied_on)
        if latest is not None and any(deviations([piece], data, evidence.initial[device], relied_on)):
            yield latest


def guest_undisturbed(evidence: Evidence) -> Judgement:
    """No guest request fails because of a fault that belongs to the operation alone."""
    if evidence.killed or not _operation_only(evidence):
        return NOT_EXERCISED
    undeserved = [error for error in evidence.history.errors if not _to_be_expected(evidence, error)]
    if not undeserved:
        return HELD
    first = undeserved[0]
    return violated(
        f"a {first.operation.value} of the guest on d{first.device} failed: {first.error}",
        "no medium" if isinstance(first.error, DeviceHasNoMedium) else first.operation.value,
    )


def _to_be_expected(evidence: Evidence, error: GuestError) -> bool:
    """Whether the guest asked for it: it wrote to a read-only device, or to one without an image."""
    return evidence.conditions.get(error.device, Condition.BUSY) is not Condition.BUSY


def _operation_only(evidence: Evidence) -> bool:
    """Whether nothing struck the guest's own I/O: the fault hit something else, or there was none."""
    struck_elsewhere = bool(evidence.hits) and evidence.own_hits == 0
    return evidence.case.fault.spares_guest or struck_elsewhere
