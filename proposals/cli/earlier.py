"""`blockops compare --baseline`: the earlier run that a run is compared with.

It must be of the same settings: what was not tried then would be new now.  That the code is another one is
the point of it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from blockops.lab.against import against
from blockops.lab.results import Results
from blockops.lab.store import RunKey, Told, read_store
from blockops.report.document import UnreadableReport
from proposals.cli.exits import Unusable
from proposals.cli.stored import told_again


def earlier_run(path: Path | None, key: RunKey) -> Results | None:
    """Return the run of these settings in the store at *path* that ended last; None without a path.

    Raises BlockError or Unusable with a sentence that names *path*.
    """
    if path is None:
        return None
    ended = [told for told in read_store(path) if told.ended]
    if not ended:
        raise Unusable(f"{path}: no run in it has come to its end, so there is nothing to compare with")
    try:
        return told_again(_of_these_settings(path, ended, key))[0]
    except UnreadableReport as error:
        raise Unusable(f"{path}: {error}") from error


def compared(results: Results, path: Path | None, earlier: Results | None) -> Results:
    """Return *results* with what is new and gone; nothing is said where they are not complete."""
    if earlier is None or results.interrupted:
        return attrs.evolve(results, against=None)
    return attrs.evolve(results, against=against(str(path), earlier, results))


def _of_these_settings(path: Path, ended: list[Told], key: RunKey) -> Told:
    for told in ended:
        if told.key.settings == key.settings:
            return told
    differs = "; ".join(_differences(ended[0].key.asked, key.asked))
    raise Unusable(f"{path}: the run in it is of other settings: {differs}")


def _differences(earlier: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield what was asked for otherwise, in words where those are short."""
    then, here = ({**asked.pop("settings", {}), **asked} for asked in map(_plain, (earlier, now)))
    for name in dict.fromkeys((*here, *then)):
        words = _words(then.get(name)), _words(here.get(name))
        if then.get(name) != here.get(name):
            brief = max(map(len, words)) <= 60
            yield f"{name.replace('_', ' ')} {f'{words[0]}, here {words[1]}' if brief else 'differ'}"


def _plain(asked: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asked))
    return plain


def _words(value: Any) -> str:
    if value is None or value == []:
        return "as usual"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
