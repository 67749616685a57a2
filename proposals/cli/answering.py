"""All claims put to the test by workers, watched."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed

from blockops.lab.results import Claim
from proposals.claims.page import CLAIMS, answer

Watch = Callable[[int, int], None]
"""Is told how many claims are tested, and of how many."""


def answers(workers: Executor, on_progress: Watch, ids: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Let *workers* run the experiments of these claims, all where none is named; in the page's order."""
    names = [name for name in CLAIMS if not ids or name in ids]
    begun = {workers.submit(answer, name): name for name in reversed(names)}  # the last take longest
    found: dict[str, Claim] = {}
    on_progress(0, len(names))
    for done in as_completed(begun):
        found[begun[done]] = done.result()
        on_progress(len(found), len(names))
    return tuple(found[name] for name in names)
