"""HTML, Markdown and terminal: complete, safe, self-contained, readable when narrow."""

import html as escaping
import io
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from blockops.lab.faults import GROUPS
from blockops.lab.faults.power import POWER
from blockops.lab.power.models import LEGAL
from blockops.lab.results import Cell, Design, Event, Results
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import Summary, summarise
from blockops.report.tally import Mark
from blockops.report.terminal import live_matrix, print_summary, timeline
from tests.report.fabricated import DESIGNS, LAW_IDS, LAWS, TIMELINE, results

EMPTY = Results(versions={"blockops": "0"}, seed=0, settings={}, coverage=(), cells=(), violations=())


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarise(results(), LAWS)


@pytest.fixture(scope="module")
def page(summary: Summary) -> str:
    return html(summary)


class Reader(HTMLParser):
    """Collects ids, links and what a browser would fetch; complains about tags that do not nest."""

    VOID = frozenset({"meta", "link", "wbr", "br", "hr", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "data", "action", "poster"):
                self.fetched.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_every_link_of_the_page_leads_somewhere_in_it(page: str) -> None:
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    assert reader.links
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    assert [target for target in read(page).fetched if not target.startswith("data:")] == []
    assert "<script" not in page
    assert "javascript:" not in page
    assert not re.search(r"https?://|@import|url\((?!['\"]?data:)", page)


def test_the_first_screen_has_the_verdicts_the_coverage_and_the_versions(page: str, summary: Summary) -> None:
    first = page[: page.index('id="matrix"')]
    for chapter in summary.proposals:
        assert len(chapter.sentences) == 3
        for sentence in chapter.sentences:
            assert re.sub(r"`([^`]+)`", r"<code>\1</code>", sentence) in first
    assert f"{summary.totals.cases:,}" in first
    assert "equal to one of those and judged with it" in first
    assert summary.totals.straddled.what in escaping.unescape(first)
    assert "qemu-img" in first


def test_coverage_and_versions_are_told_in_a_line_before_the_verdicts(page: str, summary: Summary) -> None:
    before = page[: page.index('class="card"')]
    for name, version in summary.results.versions.items():
        assert f"{name} {version}" in before
    whole = sum(share.of for share in summary.totals.shares)
    assert summary.totals.glance == (
        f"{summary.totals.cases:,} cases judged by {len(LAWS)} laws",
        f"exhaustive with 1–2 devices: {sum(s.judged for s in summary.totals.shares):,} of {whole:,}",
        f"of all else, sampled: {summary.totals.samples[0].numbers}",
    )
    assert all(part in before for part in summary.totals.glance)


def test_where_variants_are_sampled_the_line_does_not_call_the_rest_exhaustive_without_saying_so(
    summary: Summary,
) -> None:
    first = summary.results.coverage[0]
    drawn = attrs.evolve(first, use_case=f"{first.use_case} variants", sampled=True)
    more = attrs.evolve(summary.results, coverage=(*summary.results.coverage, drawn))
    assert (
        summarise(more, LAWS).totals.glance[1].startswith("exhaustive with 1–2 devices, but for variants: ")
    )


@pytest.mark.parametrize("form", [html, markdown])
def test_every_form_has_each_violation_with_its_replay_command(
    form: Callable[[Summary], str], summary: Summary
) -> None:
    text = escaping.unescape(form(summary))
    for violation in summary.results.violations:
        assert violation.replay in text


@pytest.mark.parametrize("form", [html, markdown])
def test_every_form_has_the_one_wording_of_each_law(form: Callable[[Summary], str], summary: Summary) -> None:
    text = form(summary)
    for law in LAWS:
        assert law.says in text
        assert law.precondition in text


@pytest.mark.parametrize("form", [html, markdown])
def test_interrupted_and_untrustworthy_runs_say_so_on_the_first_screen(
    form: Callable[[Summary], str],
) -> None:
    made = attrs.evolve(results(), interrupted=True, broken_invariants=("d0 lost a write",))
    text = form(summarise(made, LAWS))
    assert "Interrupted" in text[:40_000]
    assert "d0 lost a write" in text[:40_000]
    assert "Interrupted" not in form(summarise(results(), LAWS))


@pytest.mark.parametrize("form", [html, markdown])
def test_results_without_a_case_make_a_page_that_claims_nothing(form: Callable[[Summary], str]) -> None:
    text = form(summarise(EMPTY, LAWS))
    assert "0 cases judged" in text or ">0</dt><dd>cases judged" in text
    assert "✓ " not in text.replace("✓ held", "").replace("✓ in grey", "")


def test_whatever_a_text_holds_it_stays_text() -> None:
    evil = '</td><script>alert("x")</script>|`&'
    made = attrs.evolve(
        results(),
        designs=(Design("freeze", evil, evil, page=True),),
        violations=(attrs.evolve(results().violations[0], sentence=evil, fault_point=evil),),
        settings={evil: evil},
    )
    page = html(summarise(made, LAWS))
    assert "<script" not in page
    read(page)


def test_a_table_row_of_the_markdown_has_as_many_cells_as_its_head() -> None:
    told = Event(1, "guest", "a | b\n| c"), Event(2, "fault", "d | e")
    made = attrs.evolve(
        results(),
        violations=(attrs.evolve(results().violations[0], timeline=told),),
        cells=tuple(attrs.evolve(c, inexpressible=c.inexpressible and "f | g") for c in results().cells),
    )
    columns = None
    for line in markdown(summarise(made, LAWS)).splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        columns = columns or found
        assert found == columns, line


def test_marks_differ_by_symbol_and_not_by_colour_alone() -> None:
    assert len({mark.symbol for mark in Mark}) == len(Mark)


def shown(summary: Summary, width: int, *, terminal: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    print_summary(console, summary)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_summary_fits_any_terminal_from_forty_columns_on(summary: Summary, width: int) -> None:
    lines = shown(summary, width, terminal=True)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for chapter in summary.proposals:
        for sentence in chapter.sentences:
            assert sentence.replace("`", "") in text


def test_the_summary_that_is_piped_is_plain_lines_unwrapped(summary: Summary) -> None:
    lines = shown(summary, 40, terminal=False)
    assert "\x1b" not in "".join(lines)
    for chapter in summary.proposals:
        for number, sentence in enumerate(chapter.sentences, start=1):
            assert f"{number}. {sentence.replace('`', '')}" in lines


@pytest.mark.parametrize("law", ["one-instant", "content"])
def test_every_form_says_of_how_many_cases_one_instant_could_be_said_at_all(law: str) -> None:
    """Where the law was not judged at all, nothing is said."""
    cells = tuple(cell for cell in results().cells if cell.law == law)
    counts = [(cell.held + cell.violated + cell.unknown, cell.not_exercised) for cell in cells]
    judged, idle = (sum(numbers) for numbers in zip(*counts, strict=True))
    only = summarise(attrs.evolve(results(), cells=cells), LAWS)
    said = f"{judged:,} of {judged + idle:,} cases count for one-instant: the operation took effect"
    forms = (markdown(only), " ".join(shown(only, 40, terminal=False)))
    assert [said in form for form in forms] == [law == "one-instant"] * len(forms)
    pair = f"<dt>{judged:,} of {judged + idle:,}</dt><dd>cases count for one-instant"
    assert (pair in html(only)) is (law == "one-instant")


def drawn(width: int, cells: tuple[Cell, ...]) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(live_matrix(cells, LAWS, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 75, 76, 120])
def test_the_live_matrix_shows_a_symbol_a_law_at_any_width(width: int) -> None:
    lines = drawn(width, results().cells).splitlines()
    assert max(map(len, lines)) <= width
    strips = [line for line in lines if re.search(rf"[✓✕?·∅]{{{len(LAW_IDS)}}}", line)]
    assert len(strips) == len(DESIGNS)


def test_the_live_matrix_shows_what_was_run_even_if_narrow_and_of_one_profile() -> None:
    cells = tuple(cell for cell in results().cells if cell.contestant == "naive-loop")
    assert re.search(r"naive-loop +[✓✕?·∅]{12}", drawn(40, cells))


def test_a_timeline_wraps_in_its_column() -> None:
    console = Console(file=io.StringIO(), width=50, force_terminal=True, color_system=None)
    console.print(timeline(TIMELINE))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 50
    assert lines[0].split()[:2] == ["0", "guest"]


MEASURE = """
<script>
const wide = [...document.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > innerWidth + 1
  && !e.closest(".scroll") && getComputedStyle(e).position !== "absolute");
document.querySelectorAll("details").forEach(e => { e.open = true; });
const root = document.documentElement;
document.body.innerHTML = "<pre id=measured>" + JSON.stringify({
  page: root.scrollWidth, room: root.clientWidth, wide: wide.map(e => e.tagName + "." + e.className),
  fetched: performance.getEntriesByType("resource").map(e => e.name),
}) + "</pre>";
</script></body>
"""


@pytest.mark.real_tool("chromium")
@pytest.mark.parametrize("width", [500, 1280])
def test_in_a_browser_the_page_never_scrolls_sideways_and_fetches_nothing(
    page: str, tmp_path: Path, real_tool: Callable[[str], str], width: int
) -> None:
    file = tmp_path / "report.html"
    opened = page.replace("<details", "<details open")
    file.write_text(opened.replace("</body>", MEASURE), encoding="utf-8")
    command = [
        real_tool("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    measured = re.search(r"<pre id=\"?measured\"?>(\{.*?\})</pre>", done.stdout)
    assert measured is not None, done.stderr[-2000:]
    found = measured[1]
    assert '"wide":[]' in found, found
    assert '"fetched":[]' in found, found
    assert (sizes := re.search(r'"page":(\d+),"room":(\d+)', found)), found
    assert sizes[1] == sizes[2], found


def test_a_comparison_with_an_earlier_run_is_among_the_sections_that_the_page_leads_to(page: str) -> None:
    def sections(page: str) -> str:
        return page.partition('aria-label="Sections"')[2].partition("</nav>")[0]

    assert '<a href="#against">' in sections(page)
    assert "against" not in sections(html(summarise(attrs.evolve(results(), against=None), LAWS)))


def test_what_the_page_says_of_power_cuts_is_what_the_lab_does(page: str) -> None:
    threats = page.partition('id="threats"')[2].partition("<h2")[0]
    assert GROUPS[POWER]
    assert f"--fault {POWER}" in threats
    assert f"{('six', 'seven', 'eight')[len(LEGAL) - 6]} models" in threats
    assert "not injected" not in threats
