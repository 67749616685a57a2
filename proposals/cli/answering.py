"""All claims put to the test by workers, watched."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from blockops.lab.results import Claim
from blockops.lab.workers import Batch, Errand
from proposals.claims.page import CLAIMS, answer

Watch = Callable[[int, int], None]
"""Is told how many claims are tested, and of how many."""


def answers(workers: Executor, on_progress: Watch, ids: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Let *workers* run the experiments of these claims, all where none is named; in the page's order."""
    names = [name for name in CLAIMS if not ids or name in ids]
    # The last take longest.
    errands = (Errand(name, name, answer, (name,), Claim) for name in reversed(names))
    found: dict[str, Claim] = {}
    on_progress(0, len(names))
    for done in Batch(workers, errands, None):
        found[done.errand.name] = done.result
        on_progress(len(found), len(names))
    return tuple(found[name] for name in names)
