"""Results made up for the report's tests: as large as a default run, and with something of everything."""

from collections.abc import Iterator

from blockops.lab.costs import Cost, Effort, Measured
from blockops.lab.results import (
    Against,
    Answer,
    Cell,
    Claim,
    Coverage,
    Design,
    Distinct,
    Event,
    Law,
    Portion,
    Purpose,
    Results,
    Timing,
    ToolSample,
    Violation,
)

LAW_IDS = (
    "all-or-nothing",
    "one-instant",
    "content",
    "nothing-lost",
    "guest-undisturbed",
    "released",
    "sound",
    "tidy",
    "truthful",
    "names-the-culprit",
    "same-after-reopen",
    "repeatable",
    "progress",
)
LAWS = tuple(Law(name, f"{name} applies", f"what {name} says") for name in LAW_IDS)
DESIGNS = (
    Design("group-snapshot", "one command for many devices", "Jeff Cody", page=True),
    Design("drive-migrate", "one device a call", "Federico Simoncelli", page=True),
    Design("transaction", "start, queue, commit or abort", "Paolo Bonzini", page=True),
    Design("freeze", "freeze, change one after the other, unfreeze", "Anthony Liguori", page=True),
    Design("naive-loop", "one disk after the other"),
    Design("stop-cont", "stop, snapshot each, continue"),
    Design("group-snapshot-v1", "the first posting"),
)
USE_CASES = (
    "group-snapshot-2",
    "group-snapshot-3",
    "migrate-one-1",
    "migrate-many-2",
    "switch-many-2",
    "give-up-2",
    "retry-2",
)
NOT_FOR_ALL = {"group-snapshot": ("migrate-one-1", "migrate-many-2", "switch-many-2", "give-up-2")}
LONG_TEXT = "blkdev-group-snapshot-sync: drain d1, one request in flight (write of sector 2048, tag 17)"
KINDS = ("eio", "enospc", "edquot", "erofs", "eacces", "enoent", "emfile", "short", "torn")
PORTIONS = (
    *(Portion(kind, 81, 82) for kind in KINDS),
    Portion("kill", 96, 96),
    Portion("manager-dies", 18, 18),
    Portion("occupied", 9, 9),
)


def _distinct() -> tuple[Distinct, ...]:
    who = "freeze.as-posted.careful"
    places = ("group-snapshot-2", "group-snapshot-2 pairs", "migrate-many-2~3fa9c1")
    return tuple(
        Distinct(who, place, "tidy", "a file is left", f"{who}/{place.partition(' ')[0]}/eio@17", count)
        for count, place in enumerate(places, 1)
    )


def results(designs: tuple[Design, ...] = DESIGNS) -> Results:
    """Return fabricated results over *designs*, the same on every call."""
    cells = tuple(_cells(designs))
    return Results(
        versions={"blockops": "0.1.0", "python": "3.11.9", "qemu-img": "7.2.22"},
        seed=7,
        settings={"devices": [2, 3], "jobs": 2, "images": []},
        coverage=tuple(_coverage(designs)),
        cells=cells,
        violations=tuple(_violation(cell) for cell in cells if cell.violated),
        worlds={"3fa9c1": {"devices": 2, "sizes": [65536, 131072]}},
        qemu_img_sample=ToolSample(checked=200, corrupt=0, tool="qemu-img version 7.2.22"),
        designs=designs,
        purposes=tuple(Purpose(use_case, f"what {use_case} wants") for use_case in USE_CASES),
        claims=tuple(_claims()),
        costs=tuple(_costs(designs)),
        efforts=tuple(_efforts(designs)),
        distinct=_distinct(),
        against=Against("an older/results.sqlite", _distinct()[:1], _distinct()[1:]),
        timing=Timing(started="2024-05-01T12:00:00Z", seconds=73.2),
    )


def _claims() -> Iterator[Claim]:
    for number, answer in enumerate(Answer):
        yield Claim(
            id=f"A{number}",
            design="freeze",
            side="advantage",
            says=f"It is said to be {answer.value}.",
            asks=f"experiment {number}",
            profiles=f"profile {number} alone",
            confirms=f"condition {number} is met",
            refutes=f"the opposite of {number} is met",
            answer=answer,
            sentence=f"Found out: {LONG_TEXT} {number}.",
            figures={"cases": 1000 * number},
            cases=(f"freeze.hardened.careful/group-snapshot-2/eio@{number}",),
        )


def _costs(designs: tuple[Design, ...]) -> Iterator[Cost]:
    for number, design, profile, manager in _contestants(designs):
        at = tuple(Measured(n, 1, n * number, 3 * n, 70_000 * n, 10 * n, 7 * n) for n in (1, 2, 4, 8))
        yield Cost(f"{design.id}.{profile}.{manager}", "group-snapshot", 12 + number, at)


def _efforts(designs: tuple[Design, ...]) -> Iterator[Effort]:
    for number, design in enumerate(designs):
        yield Effort(design.id, number or None, number or None, {"snapshot": 2, "resize": number})


def _contestants(designs: tuple[Design, ...]) -> Iterator[tuple[int, Design, str, str]]:
    for number, design in enumerate(designs):
        for profile in ("as-posted", "hardened") if design.page else ("as-posted",):
            for manager in ("naive", "careful"):
                yield number, design, profile, manager


def _cells(designs: tuple[Design, ...]) -> Iterator[Cell]:
    for number, design, profile, manager in _contestants(designs):
        for use_case in USE_CASES:
            for place, law in enumerate(LAW_IDS):
                yield _cell(number, design.id, profile, manager, use_case, place, law)


def _cell(
    number: int, contestant: str, profile: str, manager: str, use_case: str, place: int, law: str
) -> Cell:
    if use_case in NOT_FOR_ALL.get(contestant, ()):
        reason = "its one command makes new overlays and nothing else"
        return Cell(contestant, profile, manager, use_case, law, inexpressible=reason)
    mix = (number * 7 + place * 5 + len(use_case)) % 11
    weak = (mix < 4) + (profile == "as-posted") + (manager == "naive")
    stubborn = (place + number) % 5 == 0 and "group" in use_case
    violated = (mix + 1) * weak if stubborn or (weak > 1 and mix < 6) else 0
    unknown = 12 if law == "truthful" else 0
    cases = 0 if law == "repeatable" and "retry" not in use_case else 840
    case = f"{contestant}.{profile}.{manager}/{use_case}/eio@{mix + 3}" if violated and cases else None
    return Cell(
        contestant,
        profile,
        manager,
        use_case,
        law,
        held=max(cases - violated - unknown, 0),
        violated=violated if cases else 0,
        unknown=unknown,
        not_exercised=852 - cases,
        smallest=case,
    )


def _coverage(designs: tuple[Design, ...]) -> Iterator[Coverage]:
    for _, design, profile, manager in _contestants(designs):
        for use_case in USE_CASES:
            if use_case in NOT_FOR_ALL.get(design.id, ()):
                continue
            yield Coverage(
                contestant=f"{design.id}.{profile}.{manager}",
                use_case=use_case,
                cases=852,
                space=912 if use_case == "group-snapshot-3" else 852,
                fault_points=64,
                all_fault_points=70 if use_case == "group-snapshot-3" else 64,
                portions=PORTIONS,
                devices=int(use_case[-1]),
                sampled=use_case == "group-snapshot-3",
                note="12 cases equal others and were judged with them",
            )


def _violation(cell: Cell) -> Violation:
    assert cell.smallest is not None
    return Violation(
        case=cell.smallest,
        law=cell.law,
        sentence="d0 shows the new overlay and d1 the old image, at quiescence",
        timeline=TIMELINE,
        count=cell.violated,
        signature=f"{cell.law}/{cell.smallest}",
        fault_point="d1: overlay /vm/s1.qcow2: write of the L1 table",
        replay=f"blockops replay {cell.smallest}",
    )


TIMELINE = (
    Event(0, "guest", "d0: submits write of sectors 0–7, tag 1"),
    Event(1, "guest", "d1: submits write of sectors 8–15, tag 2"),
    Event(2, "management", "blkdev-group-snapshot-sync for d0, d1"),
    Event(3, "hypervisor", LONG_TEXT),
    Event(4, "hypervisor", "create /vm/s0.qcow2"),
    Event(4, "host", "/vm/s0.qcow2: create"),
    Event(5, "host", "/vm/s0.qcow2: write 104 bytes at 0 (header)"),
    Event(6, "host", "/vm/s1.qcow2: write 65536 bytes at 196608 (L1 table)"),
    Event(6, "fault", "EIO before the effect"),
    Event(7, "hypervisor", "OpenFileFailed: /vm/s1.qcow2"),
    Event(8, "management", "error reply; stops at the first error"),
    Event(9, "guest", "d0: write of tag 1 acknowledged"),
)
