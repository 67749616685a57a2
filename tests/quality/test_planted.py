"""The lab finds every defect that is planted, and none of them where nothing is planted."""

import pytest

from blockops.lab.exploring import record_once, space
from blockops.lab.faults import GROUPS
from blockops.lab.judging import Judging
from blockops.lab.laws import LAWS
from blockops.lab.results import Verdict
from blockops.lab.world import World
from blockops.management.use_cases import USE_CASES
from blockops.report.typeset import source
from tests.lab.cases import explore, setting, violated
from tests.quality.bugs_channel import BUGS as ON_THE_CHANNEL
from tests.quality.bugs_commands import BUGS as IN_COMMANDS
from tests.quality.bugs_core import BUGS as IN_THE_CORE
from tests.quality.bugs_guest import BUGS as BELOW_THE_GUEST
from tests.quality.bugs_host import BUGS as IN_WHAT_FOLLOWS
from tests.quality.bugs_jobs import BUGS as IN_JOBS
from tests.quality.bugs_membership import BUGS as OF_MEMBERSHIP
from tests.quality.bugs_orders import BUGS as UNDER_ORDERS
from tests.quality.bugs_power import BUGS as UNDER_POWER_CUTS
from tests.quality.bugs_surroundings import BUGS as IN_WHAT_IS_FOUND
from tests.quality.paper import PAGE, computed, row_of, rows_in
from tests.quality.planting import Bug, broken_by_nature, found_with

BUGS = (
    *IN_COMMANDS,
    *IN_JOBS,
    *IN_THE_CORE,
    *BELOW_THE_GUEST,
    *IN_WHAT_FOLLOWS,
    *OF_MEMBERSHIP,
    *ON_THE_CHANNEL,
    *UNDER_POWER_CUTS,
    *IN_WHAT_IS_FOUND,
    *UNDER_ORDERS,
)


RIGHT = "recorded-transaction.hardened.careful"
PAIRED_OR_LYING = {"pair", "lying"}
"""What no contestant is claimed to withstand: see the threats to validity."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bug.law not in broken_by_nature(bug.where), "the law is violated without the planted bug"
    bug.plant(monkeypatch)
    found = found_with(bug)
    assert found is not None, f"the lab does not see it ({bug.source})"
    assert row_of(bug, found) in rows_in(PAGE.read_text(encoding="utf-8")), "python -m tests.quality.paper"


@pytest.mark.parametrize("bug", UNDER_ORDERS, ids=lambda bug: bug.name)
def test_no_single_fault_in_the_schedulers_own_order_shows_what_another_order_does(
    bug: Bug, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = setting(bug.where.contestant, bug.where.use_case, bug.where.devices)
    found = space(start, record_once(start), None, complete=True)

    def broken() -> set[str]:
        judging = Judging(start, found)
        return {str(fault) for fault in found.faults if bug.law in violated(judging.judge(fault))}

    before = broken()
    bug.plant(monkeypatch)
    assert broken() <= before


def test_the_planted_bugs_have_names_of_their_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 60


def test_every_law_is_broken_by_a_planted_bug_and_every_group_of_faults_shows_one() -> None:
    page = rows_in(PAGE.read_text(encoding="utf-8"))
    assert {law.id for law in LAWS} <= {row.law for row in page}
    # Storage that lies keeps nobody's promises: no law could be asked for there.
    assert set(GROUPS) - {row.group for row in page} == {"lying"}


def test_every_law_is_held_by_the_right_contestant_and_none_is_broken() -> None:
    held: set[str] = set()
    for use_case in ("group-snapshot", "retry"):
        world = World(devices=USE_CASES[use_case].device_counts[0])
        for one in explore(setting(RIGHT, use_case, world), frozenset(GROUPS) - PAIRED_OR_LYING, 60):
            assert (dict(violated(one)), one.broken) == ({}, ()), one.case
            held |= {law for law, said in one.judgements.items() if said.verdict is Verdict.HELD}
    assert held == {law.id for law in LAWS}


def test_the_page_lists_the_planted_bugs_and_counts_them() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [row.name for row in rows_in(page)] == [bug.name for bug in BUGS]
    assert page.endswith(computed(rows_in(page)))


def test_the_report_says_how_many_planted_bugs_were_found() -> None:
    (said,) = (one for one in source("threats.txt").split("\n\n") if "docs/planted-bugs.md" in one)
    assert f"{len(BUGS)} of {len(BUGS)} planted bugs were found when the tests last ran" in said
    assert "docs/planted-bugs.md" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
