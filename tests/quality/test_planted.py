"""The lab finds every defect that is planted, and none of them where nothing is planted."""

import pytest

from tests.quality.bugs_channel import BUGS as ON_THE_CHANNEL
from tests.quality.bugs_commands import BUGS as IN_COMMANDS
from tests.quality.bugs_core import BUGS as IN_THE_CORE
from tests.quality.bugs_guest import BUGS as BELOW_THE_GUEST
from tests.quality.bugs_host import BUGS as IN_WHAT_FOLLOWS
from tests.quality.bugs_jobs import BUGS as IN_JOBS
from tests.quality.bugs_membership import BUGS as OF_MEMBERSHIP
from tests.quality.bugs_power import BUGS as UNDER_POWER_CUTS
from tests.quality.bugs_surroundings import BUGS as IN_WHAT_IS_FOUND
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
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bug.law not in broken_by_nature(bug.where), "the law is violated without the planted bug"
    bug.plant(monkeypatch)
    assert found_with(bug) is not None, f"the lab does not see it ({bug.source})"


def test_the_planted_bugs_have_names_of_their_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
