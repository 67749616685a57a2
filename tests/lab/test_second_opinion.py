"""The real checker's sample: drawn with the seed, and without listing a setting's faults for each image."""

from typing import Any

import pytest

from blockops.lab import sample
from blockops.lab.exploring import record, space
from blockops.lab.judging import Judging
from blockops.lab.plan import parts_of
from blockops.lab.sample import sample_images
from blockops.lab.settings import Settings
from proposals.catalogue import contestants

SETTINGS = Settings(
    contestants=("stop-cont.as-posted.naive",),
    use_cases=("group-snapshot",),
    faults=("no-fault", "kill"),
    devices=2,
    examples=0,
)


@pytest.mark.real_tool("qemu-img")
def test_the_faults_of_a_setting_are_listed_once_for_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []

    def listing(case: Any, *arguments: Any, **more: Any) -> Any:
        listed.append(case.id)
        return space(case, *arguments, **more)

    parts = parts_of(SETTINGS, tuple(one for one in contestants() if one.id in SETTINGS.contestants))
    (part,) = (part for part in parts if not part.depth.besides and part.setting.world.standard)
    found = space(part.case, record(part.case), frozenset({"kill"}), complete=True)
    judging = Judging(part.case, found)
    for rank, fault in enumerate(found.faults[:30]):
        part.tally.count(judging.judge(fault), fault, rank)
    monkeypatch.setattr(sample, "space", listing)
    once = sample_images(SETTINGS, [part])
    assert once.checked > 1
    assert once.corrupt == 0
    assert listed == [part.case.id]
    assert sample_images(SETTINGS, [part]) == once
