"""docs/power.md is what the lab computes: some of its findings anew, and every case that it names."""

import pytest

from blockops.lab.judging import judged
from blockops.lab.results import Verdict
from tests.lab.cases import case
from tests.lab.power import paper
from tests.lab.power.paper import PAGE, Breach, Finding

TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = {
    use_case: TEXT.partition(f"## {use_case}\n")[2].partition("\n## ")[0] for use_case in paper.JUDGED_IN
}


@pytest.mark.parametrize(
    ("contestant", "use_case"),
    [
        ("group-snapshot.hardened.naive", "group-snapshot"),  # recovers
        ("freeze.hardened.naive", "group-snapshot"),  # breaks at P0
        ("drive-migrate.hardened.careful", "group-snapshot"),  # loses the instant
        ("drive-migrate.as-posted.naive", "migrate-one"),
    ],
)
def test_a_finding_of_the_page_is_found_again(contestant: str, use_case: str) -> None:
    found = paper.named(contestant, use_case)
    assert paper.row(found) in SECTIONS[use_case]
    rows = [paper.breach_row(found, breach) for breach in (*found.breaches, *found.lying)]
    own = [line for line in SECTIONS[use_case].splitlines() if f"`{contestant}/" in line]
    assert own == rows


@pytest.mark.parametrize(("law", "name", "sentence"), paper.cases_on(TEXT), ids=lambda part: str(part)[:80])
def test_a_case_of_the_page_breaks_its_law(law: str, name: str, sentence: str) -> None:
    found = judged(case(name))
    assert found.broken == ()
    if law.startswith("recoverable"):  # its last word is over all cases that look alike
        assert found.crossroads is not None
        return
    judgement = found.judgements[law]
    assert (judgement.verdict, judgement.sentence) == (Verdict.VIOLATED, sentence)


def test_everybody_is_on_the_page() -> None:
    for contestant, use_case in paper.expressible():
        assert f"\n| {contestant.id} | " in SECTIONS[use_case]


# ------------------------------------------------------------------------------- what a row says

SAFE = Finding("a", "retry", 10, (Breach("tidy", "P0", 1, "a/b/c", "left"),), 2, ())
LOST = Breach("content", "P3", 4, "a/b/c", "lost")


def missed(inherent: bool) -> Finding:
    return Finding(
        "b", "retry", 20, (LOST, Breach("recoverable", "P4", 2, "a/b/d", "no", inherent)), 2, (LOST,)
    )


def test_files_that_are_left_over_are_no_failed_recovery() -> None:
    assert (SAFE.recovered, SAFE.first) == ("yes", "–")


def test_a_failed_recovery_says_whether_any_program_could_do_better() -> None:
    assert missed(inherent=True).recovered == "no, and no program could"
    assert missed(inherent=False).recovered == "no; another program could"
    assert (missed(True).first, Finding("c", "retry", 1, (LOST,), 0, ()).recovered) == ("P3", "no")


def test_the_sentence_counts_who_recovers_and_where_the_others_break() -> None:
    said = paper.summary([SAFE, missed(True)])
    assert "Of 2 contestants a restart recovers 1" in said
    assert "every one of the 30 states: a." in said
    assert "Others break: 1 from P3 on." in said
