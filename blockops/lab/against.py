"""One run against an earlier one: which distinct violations are new, and which are gone."""

from blockops.lab.results import Against, Distinct, Results

Key = tuple[str, str, str, str]


def against(name: str, earlier: Results, now: Results) -> Against:
    """Return how the violations of *now* differ from those of *earlier*, the run in the file *name*.

    Both are of the same settings.  Counts and smallest cases make no difference, but what is the contestant,
    the place, the law and the sort of the violation does.
    """
    before, after = _by_key(earlier), _by_key(now)
    return Against(
        name,
        tuple(one for key, one in after.items() if key not in before),
        tuple(one for key, one in before.items() if key not in after),
    )


def _by_key(results: Results) -> dict[Key, Distinct]:
    return {(one.contestant, one.use_case, one.law, one.sort): one for one in results.distinct}
