"""The report in a terminal: the live matrix while a comparison runs, and the summary at its end.

Down to 40 columns everything stays readable: one symbol a law, sentences wrapped.  Colours only repeat
what the symbols say.
"""

import shlex
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from blockops.lab.results import Against, Cell, Claim, Event, Law, Scene, Verdict
from blockops.report.claims import SIGNS
from blockops.report.lanes import FAULT
from blockops.report.summary import Chapter, Row, Summary
from blockops.report.tally import Mark, Tally, counted
from blockops.report.verdict import standing

STYLES = {
    Mark.HELD: "cyan",
    Mark.VIOLATED: "bold bright_red",
    Mark.UNKNOWN: "yellow",
    Mark.NOT_EXERCISED: "dim",
    Mark.INEXPRESSIBLE: "dim",
}
LISTED = 20
"""How many violations are listed of those that are new against an earlier run, and of those that are gone."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WIDE = 76
"""From this many columns on, the live matrix shows both profiles under both managers."""

COLUMNS = (("as-posted", "naive"), ("as-posted", "careful"), ("hardened", "naive"), ("hardened", "careful"))


def strip(tallies: Iterable[Tally], *, grey: bool = False) -> Text:
    """Return one symbol a law; *grey*: what held is grey, for not every case was judged."""
    text = Text()
    for counts in tallies:
        held = counts.mark is Mark.HELD
        text.append(counts.mark.symbol, "dim" if grey and held else STYLES[counts.mark])
    return text


def live_matrix(cells: Sequence[Cell], laws: Sequence[Law], width: int) -> Table:
    """Return design × contestant, one symbol a law, of the *cells* judged so far.

    Where *width* has no room for all profiles and managers, the best of each design is shown.
    """
    ids = [law.id for law in laws]
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=20)
    for title in [f"{profile}\n{manager}" for profile, manager in COLUMNS] if width >= WIDE else ["at best"]:
        table.add_column(title, no_wrap=True)
    for design in dict.fromkeys(cell.contestant for cell in cells):
        own = [cell for cell in cells if cell.contestant == design]
        strips = [_strip_of(own, column, ids) for column in COLUMNS]
        table.add_row(design, *(strips if width >= WIDE else [text for text in strips if text][-1:]))
    return table


def _strip_of(cells: list[Cell], column: tuple[str, str], laws: list[str]) -> Text:
    profile, manager = column
    if not any((cell.profile, cell.manager) == column for cell in cells):
        return Text("")
    return strip(standing(cells, profile, manager, laws).tallies.values())


def print_summary(console: Console, summary: Summary) -> None:
    """Print verdicts, matrix and coverage of *summary*; unwrapped lines where nobody watches."""
    plain = not console.is_terminal
    for part in _parts(summary):
        console.print(part, soft_wrap=plain and isinstance(part, Text), highlight=False)


def _parts(summary: Summary) -> Iterable[RenderableType]:
    if summary.results.interrupted:
        yield Text(f"Interrupted. {summary.totals.stopped}", "bold yellow")
    for chapter in summary.proposals:
        yield from _verdict(chapter)
    yield from _matrix(summary)
    yield Text()
    if summary.results.settings.get("scenarios"):
        for scene in summary.results.scenes:
            yield from _scene(scene)
    if summary.results.claims:
        yield claims_table(summary.results.claims)
        yield Text()
    yield from _coverage(summary)
    if summary.results.against is not None:
        yield from _against(summary.results.against)


def _verdict(chapter: Chapter) -> Iterable[RenderableType]:
    yield Text.assemble((chapter.design.id, "bold"), "  ", strip(f.tally for f in chapter.rows[-1].fields))
    for number, sentence in enumerate(chapter.sentences, start=1):
        yield Text(f"{number}. {sentence.replace('`', '')}")
    yield Text()


def _scene(scene: Scene) -> Iterable[Text]:
    """Who suffers *scene*, which was asked for: each with its smallest case."""
    suffering = [row for row in scene.rows if row.suffered]
    those = f"{len(suffering):,} of {counted(len(scene.rows), 'contestant')}"
    partly = sum(row.partly for row in scene.rows)
    those += f" ({partly:,} judged in part)" if partly else ""
    yield Text.assemble((scene.id, "bold"), f"  {those} suffered it: {scene.says}")
    for row in suffering:
        cases = f"{row.suffered:,} of {counted(row.exercised, 'case')}"
        yield Text(f"  {row.contestant} in {cases}: blockops replay {row.smallest}")
    yield Text()


def _matrix(summary: Summary) -> Iterable[RenderableType]:
    letters = LETTERS[: len(summary.laws)]
    for chapter in summary.chapters:
        yield Text.assemble((chapter.design.id, "bold"))
        for row in chapter.rows:
            yield _matrix_line(row)
    yield Text(f"{'':20}{letters}", "dim")
    yield Text(", ".join(f"{letter} {law.id}" for letter, law in zip(letters, summary.laws, strict=True)))
    yield Text(", ".join(f"{mark.symbol} {mark.word}" for mark in Mark))


def _matrix_line(row: Row) -> Text:
    name = f"  {row.profile} {row.manager}"
    line = Text.assemble(f"{name:20}", strip((entry.tally for entry in row.fields), grey=row.grey))
    return line.append(f" {row.how}", "dim") if row.grey else line


def _coverage(summary: Summary) -> Iterable[Text]:
    totals, results = summary.totals, summary.results
    yield Text(
        f"{counted(totals.cases, 'case')} of {counted(totals.contestants, 'contestant')} "
        f"in {counted(totals.use_cases, 'use case')}, {totals.executed}; "
        f"{totals.finished:,} of {totals.settings:,} settings judged to the last case."
    )
    if totals.straddled.of:
        yield Text(f"{totals.straddled.words}.")
    if totals.points.of:
        yield Text(f"{totals.points.words}, {totals.ways}.")
    if totals.shares:
        yield Text(f"{'; '.join(share.words for share in totals.shares)}.")
    for share in totals.samples:
        yield Text(f"{share.words}: {share.why(results.seed)}.", "dim")
    for sentence in totals.extents:
        yield Text(f"{sentence}.")
    yield Text(f"{totals.fate.numbers} {totals.fate.words}.")
    if totals.truncated:
        rest = f"; {totals.uncounted:,} not counted yet" if totals.uncounted else ""
        yield Text(
            f"truncated: {counted(len(totals.truncated), 'setting')} not judged as far as planned{rest}.",
            "bold yellow",
        )
    sample = results.qemu_img_sample
    checked = f"{sample.corrupt} of {sample.checked} corrupt by {(sample.tool or '').split(' (')[0]}"
    yield Text(
        f"{counted(len(results.violations), 'distinct violation')}; "
        f"{counted(len(results.broken_invariants), 'broken invariant')} of our core; "
        f"images: {checked if sample.tool else 'none checked by qemu-img'}."
    )


def _against(found: Against) -> Iterable[Text]:
    """What is new and what is gone, the first of each; the report has all."""
    yield Text()
    new, gone = counted(len(found.new), "new distinct violation"), f"{len(found.gone):,} gone"
    yield Text(f"Against {found.earlier}: {new}, {gone}.", "bold")
    for word, those in (("new", found.new), ("gone", found.gone)):
        for one in those[:LISTED]:
            where = f"{one.contestant} in {one.use_case} breaks {one.law}"
            yield Text(f"  {word}: {where}: blockops explain {shlex.quote(one.case)}")
        if len(those) > LISTED:
            yield Text(f"  {word}: {len(those) - LISTED:,} more, in the report")


def claims_table(claims: Iterable[Claim]) -> Table:
    """Return the claims as one table: id, answer, what is claimed."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for claim in claims:
        table.add_row(claim.id, _answer(claim), f"{claim.design}: {claim.says}")
    return table


def _answer(claim: Claim) -> Text:
    mark = SIGNS[claim.answer]
    return Text(f"{mark.symbol} {claim.answer.value}", STYLES[mark])


def print_claims(console: Console, claims: Iterable[Claim], *, details: bool) -> None:
    """Print claims with what was found; *details*: also how, and the cases that show it."""
    for claim in claims:
        console.print(Text.assemble((claim.id, "bold"), " ", _answer(claim)))
        lines = [f"{claim.design}, {claim.side}: {claim.says}", claim.sentence]
        if details:
            lines += [
                f"experiment: {claim.asks}",
                *([f"profiles: {claim.profiles}."] if claim.profiles else []),
                *([f"confirmed if {claim.confirms}; refuted if {claim.refutes}."] if claim.confirms else []),
            ]
        for line in lines:
            if console.is_terminal:
                console.print(Padding(Text(line), (0, 0, 0, 3)))
            else:
                console.print(Text(f"   {line}"), soft_wrap=True)
        for case in claim.cases if details else ():  # to be copied: in one line, however narrow the terminal
            console.print(Text(f"   blockops replay {case}"), soft_wrap=True)


def print_replay(
    console: Console,
    case: str,
    fault_point: str,
    events: Iterable[Event],
    verdicts: Iterable[tuple[str, Verdict, str]],
) -> None:
    """Print one case: its timeline, then each law's verdict and, where violated, what was found."""
    console.print(Text(case, "bold"), soft_wrap=True)
    console.print(Text(f"fault: {fault_point}"), soft_wrap=True)
    if console.is_terminal:
        console.print(timeline(events))
    else:
        for event in events:
            console.print(Text(f"{event.step:>4} {event.actor:10} {event.text}"), soft_wrap=True)
    console.print()
    for law, verdict, sentence in verdicts:
        mark = next(mark for mark in Mark if mark.key == verdict.value.replace("_", "-"))
        line = f"{mark.symbol} {law:18} {mark.word}{': ' if sentence else ''}{sentence}"
        console.print(Text(line, STYLES[mark]), soft_wrap=not console.is_terminal)


def print_sentences(console: Console, case: str, sentences: Iterable[str]) -> None:
    """Print what explains *case*, one sentence or paragraph a line; unwrapped where nobody watches."""
    console.print(Text(case, "bold"), soft_wrap=True)
    for sentence in sentences:
        console.print(Text(sentence), soft_wrap=not console.is_terminal)


def timeline(events: Iterable[Event]) -> Table:
    """Return a case's timeline, one event a row: step, actor, what happened; long texts wrap in place."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for event in events:
        style = STYLES[Mark.VIOLATED] if event.actor == FAULT else ""
        table.add_row(str(event.step), event.actor, Text(event.text), style=style)
    return table
