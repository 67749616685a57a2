"""Laws about several devices as one: all-or-nothing, and one instant."""

from collections.abc import Iterator, Mapping

from blockops.lab.condition import Condition
from blockops.lab.evidence import Evidence, Shown
from blockops.lab.history import Written
from blockops.lab.instants import Holding, Instant, holding
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, violated
from blockops.lab.pieces import name_of
from blockops.lab.results import Verdict
from blockops.management.use_cases import Expectation


def state_of(expected: Expectation, shown: Shown) -> str:
    """Return whether a device is in its "old" or its "new" state, or in "neither"."""
    if shown.top is None or shown.problem is not None:
        return "neither"
    wanted, mirrors = expected.mirrored_onto, set(shown.mirrors)
    if shown.top in expected.new_tops and (wanted is None or mirrors == {wanted}):
        return "new"
    return "old" if shown.top in expected.old_tops and (wanted is None or not mirrors) else "neither"


def device_states(evidence: Evidence) -> tuple[str, ...]:
    """Return the state of each device at the end."""
    pairs = enumerate(zip(evidence.case.expectations, evidence.live, strict=True))
    return tuple(
        _state_of_empty(expected, shown)
        if evidence.conditions.get(number) is Condition.EMPTY
        else state_of(expected, shown)
        for number, (expected, shown) in pairs
    )


def is_still_empty(evidence: Evidence, number: int) -> bool:
    """Whether the device had no medium when management began, and has none now."""
    return evidence.conditions.get(number) is Condition.EMPTY and evidence.live[number].top is None


def _state_of_empty(expected: Expectation, shown: Shown) -> str:
    """Return the state of a device that had no medium: to show its old image is in neither."""
    as_before = expected.old_tops == expected.new_tops and expected.mirrored_onto is None
    if shown.top is None:
        return "new" if as_before else "old"
    return "new" if not as_before and state_of(expected, shown) == "new" else "neither"


def members(evidence: Evidence) -> tuple[str, ...]:
    """Return the states of those devices that are to be alike: not of one that is gone.

    Nor, after a crash, of one that was to be mirrored: no mirror of any design outlives its hypervisor.
    """
    pairs = zip(device_states(evidence), evidence.case.expectations, strict=True)
    return tuple(
        state
        for number, (state, expected) in enumerate(pairs)
        if not evidence.is_gone(number) and not (evidence.killed and expected.mirrored_onto is not None)
    )


def all_or_nothing(evidence: Evidence) -> Judgement:
    """Every device is old, or every one is new."""
    found = members(evidence)
    if len(found) < 2 or not evidence.began:
        return NOT_EXERCISED
    return HELD if set(found) in ({"old"}, {"new"}) else _torn(evidence)


def _torn(evidence: Evidence) -> Judgement:
    found = device_states(evidence)
    if evidence.case.use_case.id == "give-up":
        found = tuple("as before" if state == "new" else state for state in found)
    found = tuple("gone" if evidence.is_gone(number) else state for number, state in enumerate(found))
    each = ", ".join(f"d{number} is {state}" for number, state in enumerate(found))
    dead = [f"d{number} has no image" for number, shown in enumerate(evidence.live) if shown.top is None]
    return violated("; ".join([each, *dead]), f"{sorted(set(found))} {bool(dead)}")


def one_instant(evidence: Evidence) -> Judgement:
    """No point-in-time image holds a write without every earlier-acknowledged write, on any device.

    The images that were left behind are one set; the devices as they left their mirrors are another.
    """
    left_behind = _one_set(evidence, evidence.instants, "the image of", "skewed")
    switched = _one_set(evidence, evidence.switches, "what left the mirror of", "switched apart")
    return max(left_behind, switched, key=lambda found: _GRAVITY.index(found.verdict))


_GRAVITY = (Verdict.NOT_EXERCISED, Verdict.HELD, Verdict.VIOLATED)


def _one_set(evidence: Evidence, instants: Mapping[int, Instant], what: str, key: str) -> Judgement:
    if len(instants) < 2:
        return NOT_EXERCISED
    found = [_holding(evidence, device, instant) for device, instant in instants.items()]
    held = [written for one in found for written in one.held]
    lacked = [written for one in found for written in one.lacked]
    for later, earlier in _dependencies(evidence, held, lacked):
        return violated(
            f"{what} d{later.device} holds {name_of(later)}, {what} d{earlier.device} lacks "
            f"{name_of(earlier)}, which was acknowledged before {name_of(later)} was submitted",
            key,
        )
    straddles = any(True for _ in _dependencies(evidence, lacked, held))
    return HELD if straddles else NOT_EXERCISED


def _holding(evidence: Evidence, device: int, instant: Instant) -> Holding:
    return holding(instant, evidence.writes_of(device), evidence.pieces_of(device), evidence.initial[device])


def _dependencies(
    evidence: Evidence, later_ones: list[Written], earlier_ones: list[Written]
) -> Iterator[tuple[Written, Written]]:
    """Yield (later, earlier) of two devices, the later submitted after the other was acknowledged.

    What was acknowledged and not flushed a power cut may take back: then the later write must have been
    submitted after the flush.
    """
    since = [(evidence.relied_on_since(earlier), earlier) for earlier in earlier_ones]
    done = [(time, earlier) for time, earlier in since if time is not None]
    first = min((time for time, _ in done), default=None)
    for later in later_ones:
        if first is not None and first <= later.submitted:
            for time, earlier in done:
                if time <= later.submitted and earlier.device != later.device:
                    yield later, earlier
