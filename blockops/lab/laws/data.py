"""Laws about the guest's data: content, nothing lost, guest undisturbed."""

from collections.abc import Iterator

from blockops.errors import DeviceHasNoMedium
from blockops.lab.evidence import Evidence, Shown
from blockops.lab.guest import Written
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, held_unless, violated
from blockops.lab.sectors import INITIAL

Problem = tuple[str, str]


def content(evidence: Evidence) -> Judgement:
    """Each sector returns its last acknowledged write, a concurrent one, or its initial content."""
    return held_unless(_content_problems(evidence))


def _content_problems(evidence: Evidence) -> Iterator[Problem]:
    for sentence in evidence.history.misread:
        yield sentence, "misread"
    for number, (live, again) in enumerate(zip(evidence.live, evidence.reopened, strict=True)):
        if not evidence.killed:
            yield from _device_problems(evidence, number, live, "live")
        if evidence.killed or (again.data, again.size, again.problem) != (live.data, live.size, live.problem):
            yield from _device_problems(evidence, number, again, "after a reopen")
    for number, target in evidence.targets.items():
        yield from _device_problems(evidence, number, target, "on its mirror's target")


def _device_problems(evidence: Evidence, number: int, shown: Shown, when: str) -> Iterator[Problem]:
    size = evidence.sizes[number]
    if shown.top is None or shown.problem is not None:
        yield f"d{number} cannot be read {when}: {shown.problem}", f"unreadable {when}"
    elif shown.size != size:
        yield f"d{number} has {shown.size} bytes {when} instead of {size}", f"size {when}"
    else:
        yield from _sector_problems(evidence, number, shown, when)


def _sector_problems(evidence: Evidence, number: int, shown: Shown, when: str) -> Iterator[Problem]:
    allowed = _allowed(evidence, number)
    for sector, found in enumerate(evidence.states_of(number, shown.data)):
        if found not in allowed.get(sector, _UNTOUCHED):
            wanted = ", ".join(map(_name, sorted(allowed.get(sector, _UNTOUCHED))))
            yield f"sector {sector} of d{number} holds {_name(found)} {when}, not {wanted}", f"wrong {when}"


_UNTOUCHED = frozenset({INITIAL})


def _name(state: int) -> str:
    if state == INITIAL:
        return "its initial content"
    return "bytes that nobody wrote there" if state < 0 else f"write {state}"


def _allowed(evidence: Evidence, number: int) -> dict[int, set[int]]:
    """Return, for each sector written, what it may hold: after a crash nothing newer than flushed is owed."""
    allowed: dict[int, set[int]] = {}
    for written in evidence.history.writes:
        if written.device == number:
            settled = written.durable if evidence.killed else written.acknowledged
            for sector in written.sectors:
                before = allowed.get(sector, {INITIAL})
                allowed[sector] = {written.sequence} if settled is not None else before | {written.sequence}
    return allowed


def nothing_lost(evidence: Evidence) -> Judgement:
    """What was acknowledged (after a crash: and flushed) is readable."""
    promised = [written for written in evidence.history.writes if _promised(evidence, written)]
    if not promised:
        return NOT_EXERCISED
    views = evidence.reopened if evidence.killed else evidence.live
    return held_unless(_losses(evidence, promised, views))


def _promised(evidence: Evidence, written: Written) -> bool:
    return (written.durable if evidence.killed else written.acknowledged) is not None


def _losses(evidence: Evidence, promised: list[Written], views: tuple[Shown, ...]) -> Iterator[Problem]:
    for written in promised:
        shown = views[written.device]
        how = "acknowledged and flushed" if evidence.killed else "acknowledged"
        lost = f"write {written.sequence} on d{written.device}, {how}, is not readable"
        if shown.top is None or shown.problem is not None:
            yield f"{lost}: {shown.problem}", "device unreadable"
            continue
        found = evidence.states_of(written.device, shown.data)
        if any(found[sector] < written.sequence for sector in written.sectors):
            yield f"{lost}: {shown.top} does not have it", "write missing"


def guest_undisturbed(evidence: Evidence) -> Judgement:
    """No guest request fails because of a fault that belongs to the operation alone."""
    if evidence.killed or not _operation_only(evidence):
        return NOT_EXERCISED
    if not evidence.history.errors:
        return HELD
    first = evidence.history.errors[0]
    return violated(
        f"a {first.operation.value} of the guest on d{first.device} failed: {first.error}",
        "no medium" if isinstance(first.error, DeviceHasNoMedium) else first.operation.value,
    )


def _operation_only(evidence: Evidence) -> bool:
    """Whether nothing struck the guest's own I/O: the fault hit something else, or there was none."""
    struck_elsewhere = bool(evidence.hits) and evidence.own_hits == 0
    return evidence.case.fault.spares_guest or struck_elsewhere
