"""`blockops claims`: one, all, as JSON, and what is none."""

import json
import time

import pexpect

from proposals.claims.page import CLAIMS
from tests.cli.program import REAL, assert_refused, environment, run, visible


def on_a_terminal(*arguments: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        REAL[0], [*REAL[1:], "claims", *arguments], env=environment(), encoding="utf-8", timeout=60
    )


def test_a_terminal_shows_how_many_claims_are_tested_and_then_the_answers_alone() -> None:
    terminal = on_a_terminal("A1", "J4", "A7")
    for done in range(4):
        terminal.expect(f"claims: {done} of 3 tested")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    last, _, rest = terminal.before.rpartition("tested")
    assert "J4" not in last
    erased, _, _ = rest.partition("J4")
    assert "\x1b[2K" in erased


def test_an_interrupt_while_claims_are_tested_ends_it_with_one_sentence() -> None:
    terminal = on_a_terminal("P2", "A6")
    terminal.expect("claims: 0 of 2 tested")
    time.sleep(0.5)
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 2
    assert visible(terminal.before).split("\r\n")[-2:] == ["blockops: interrupted", ""]


def test_one_claim_says_its_answer_its_conditions_and_what_was_found() -> None:
    done = run("claims", "A1")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("A1 ")
    text = "\n".join(rest)
    for part in (CLAIMS["A1"].says, CLAIMS["A1"].asks, CLAIMS["A1"].confirms, CLAIMS["A1"].refutes):
        assert part in text


def test_claims_come_in_the_order_of_the_page_each_once_and_with_their_cases() -> None:
    done = run("claims", "A7", "J4", "A7")
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [head.split()[0] for head in heads] == ["J4", "A7"]
    assert "blockops replay freeze.hardened.careful/group-snapshot-2/no-fault" in done.stdout


def test_the_json_has_the_fields_of_the_report() -> None:
    (claim,) = json.loads(run("claims", "--json", "P2").stdout)
    assert claim["id"] == "P2"
    assert claim["answer"] in ("confirmed", "refuted", "inconclusive")
    assert {"says", "asks", "confirms", "refutes", "sentence", "figures", "cases"} <= set(claim)


def test_a_claim_that_nobody_made_is_refused() -> None:
    assert_refused(run("claims", "A1", "A8"), 4, "'A8'")
    assert_refused(run("claims", "sidecar"), 4, "blockops list claims")
