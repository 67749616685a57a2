"""The claims as a whole: their rule, their page, their cases, the same answer every time."""

import re
from pathlib import Path

import pytest

from blockops.lab.replay import replay
from blockops.lab.results import Answer, Claim
from blockops.lab.workers import own_workers
from proposals.catalogue import contestants
from proposals.claims.claim import Found, answer
from proposals.claims.page import CLAIMS
from proposals.cli.answering import answers
from tests.claims.paper import PAGE, found, table


@pytest.mark.parametrize(
    ("confirms", "refutes", "expected"),
    [
        (True, False, Answer.CONFIRMED),
        (False, True, Answer.REFUTED),
        (True, True, Answer.INCONCLUSIVE),
        (False, False, Answer.INCONCLUSIVE),
        (None, None, Answer.HISTORICAL),
    ],
)
def test_an_answer_is_which_of_the_two_conditions_was_met(
    confirms: bool | None, refutes: bool | None, expected: Answer
) -> None:
    assert answer(Found(confirms, refutes, "")) is expected


def test_every_sentence_of_the_page_is_a_claim() -> None:
    counts = {"J": 5, "F": 3, "P": 6, "A": 7}
    assert list(CLAIMS) == [f"{who}{n}" for who, number in counts.items() for n in range(1, number + 1)]


def test_only_what_is_about_2012_goes_without_an_answer(claims: tuple[Claim, ...]) -> None:
    historical = {claim.id for claim in claims if claim.answer is Answer.HISTORICAL}
    assert historical == {"J1", "F1", "P4", "P6", "A5"}


def test_every_claim_that_was_run_shows_its_figures_and_one_sentence(claims: tuple[Claim, ...]) -> None:
    for claim in claims:
        assert claim.sentence.endswith("."), claim.id
        assert claim.figures or claim.asks == "none", claim.id
        assert (claim.answer is Answer.HISTORICAL) == (not claim.confirms) == (not claim.refutes), claim.id
        assert bool(claim.profiles) == bool(claim.confirms), claim.id


def test_every_case_of_a_claim_can_be_replayed(claims: tuple[Claim, ...]) -> None:
    cases = {case for claim in claims for case in claim.cases}
    assert len(cases) > 10
    for case in sorted(cases):
        assert replay(case, contestants(), {}).judgements


def test_a_claim_answers_the_same_every_time_whoever_tests_it_and_in_the_order_of_the_page(
    claims: tuple[Claim, ...],
) -> None:
    told: list[tuple[int, int]] = []
    with own_workers(2, contestants) as workers:
        again = answers(workers, lambda *done: told.append(done), ["A7", "J4", "F2", "P2", "A1", "A3", "A7"])
    assert told == [(number, 6) for number in range(7)]
    assert again == tuple(claim for claim in claims if claim.id in {one.id for one in again})


def test_the_page_says_what_is_computed(claims: tuple[Claim, ...]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table(claims) in page, "python -m tests.claims.paper prints it"
    assert found(claims) in page, "python -m tests.claims.paper prints it"


def test_the_page_is_linked_and_its_links_lead_somewhere() -> None:
    root = PAGE.parents[1]
    assert "docs/claims.md" in (root / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not Path(PAGE.parent / link).exists()] == []
