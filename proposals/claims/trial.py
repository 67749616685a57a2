"""Cases run through the lab: one by its id, or all of one contestant's single faults of some sorts."""

import re
from collections.abc import Iterable, Iterator, Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.lab.case import Case, parse_case
from blockops.lab.evidence import Evidence
from blockops.lab.exploring import record, space
from blockops.lab.faults.host import HostFault, Span
from blockops.lab.faults.kinds import Kind
from blockops.lab.judging import evidence_of
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.pairs import pairs_after
from blockops.lab.results import Verdict
from blockops.management.contestant import Contestant
from proposals.catalogue import contestants

PACE = r"no-fault|guest-(runs|lags)@.+"
"""Nothing is broken; the guest runs as usual, ahead, or behind."""

ONCE = r"eio@\d+"
"""Each host operation fails once."""

LASTING = r"eio\+@\d+"
"""Each host operation fails, and goes on failing."""

DEATH = r"manager-dies@\d+"
"""Management dies before each of its steps."""

RESTART = r"manager-restarts@\d+"
"""The same, and a new process with the notes recovers."""

HANDLES = r"emfile\+@\d+"
"""From each host operation on that opens a file, no file can be opened any more."""


IN_WORDS = {"hardened": Profile.HARDENED, "as posted": Profile.AS_POSTED}
"""The two profiles."""


@attrs.frozen
class Trial:
    """A case that was run: its id, its evidence, and what each law says."""

    case: str
    evidence: Evidence
    judgements: Mapping[str, Judgement]

    def breaks(self, *laws: str) -> bool:
        """Whether one of *laws* is violated."""
        return any(self.judgements[law].verdict is Verdict.VIOLATED for law in laws)

    @property
    def dead(self) -> int:
        """How many devices show no image although the hypervisor lives."""
        return 0 if self.evidence.killed else self.evidence.tops.count(None)


def everybody() -> Mapping[str, Contestant]:
    """Return the contestants by their ids."""
    return {contestant.id: contestant for contestant in contestants()}


def case(identity: str) -> Case:
    """Return the case with this id."""
    return parse_case(identity, everybody(), {})


def trial(identity: str) -> Trial:
    """Run and judge the case with this id."""
    return _tried(case(identity))


def trials(setting: str, *sorts: str) -> Iterator[Trial]:
    """Run every single fault of a setting ("freeze.hardened.naive/group-snapshot-2") of these sorts."""
    start = case(f"{setting}/no-fault")
    wanted = re.compile("|".join(sorts))
    for fault in space(start, record(start), None, complete=True).faults:
        if wanted.fullmatch(str(fault)):
            yield _tried(attrs.evolve(start, fault=fault))


def servers_trials(setting: str) -> Iterator[Trial]:
    """Let each operation fail that the hypervisor does on the host to carry commands out: once, lastingly."""
    start = case(f"{setting}/no-fault")
    for number in _servers_operations(start):
        for span in (Span.ONCE, Span.LASTING):
            yield _tried(attrs.evolve(start, fault=HostFault(Kind.EIO, number, span)))


def servers_pairs(setting: str) -> Iterator[Trial]:
    """Let each of them fail once, and lastingly each operation that comes of this, say of the roll-back."""
    start = case(f"{setting}/no-fault")
    for number in _servers_operations(start):
        for pair in pairs_after(start, HostFault(Kind.EIO, number)):
            if pair.second.span is Span.LASTING:
                yield _tried(attrs.evolve(start, fault=pair))


def _servers_operations(start: Case) -> list[int]:
    return [one.number for one in record(start).operations if one.actor == "hypervisor"]


def _tried(one: Case) -> Trial:
    evidence = evidence_of(one)
    return Trial(one.id, evidence, judge(evidence))


@attrs.frozen
class Count:
    """How many cases of a loop there were, which of them had a property, and in what order they came."""

    cases: int
    having: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.having)

    @property
    def first(self) -> tuple[str, ...]:
        """The id of the first case, if there is one."""
        return self.having[:1]


def counted(loop: Iterable[Trial], *laws: str) -> Count:
    """Count the cases of a loop that break one of *laws*."""
    ran = [(one.case, one.breaks(*laws)) for one in loop]
    return Count(len(ran), tuple(identity for identity, broken in ran if broken))


def unlawful(loop: Iterable[Trial]) -> Count:
    """Count the cases of a loop that break any law."""
    ran = [(one.case, one.breaks(*one.judgements)) for one in loop]
    return Count(len(ran), tuple(identity for identity, broken in ran if broken))


def deaths(loop: Iterable[Trial]) -> Count:
    """Count the cases of a loop at whose end a device shows nothing."""
    ran = [(one.case, one.dead) for one in loop]
    return Count(len(ran), tuple(identity for identity, dead in ran if dead))
