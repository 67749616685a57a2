"""A coverage-guided search for bytes that break `target`; what it finds is kept in `corpus`.

    python -m tests.fuzz.search                      until somebody stops it
    python -m tests.fuzz.search -runs=100000         so many executions
    python -m tests.fuzz.search -jobs=2 FOLDER       libFuzzer's own options; FOLDER keeps what is new

It needs the extra `fuzz` (atheris).  A find ends the search and is written to `crash-…`: mend the core, and
put the file into `tests/fuzz/corpus`, where `test_hostile` tries it from then on.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["blockops.qcow2", "blockops.host"]):
    from tests.fuzz.target import try_image

from tests.fuzz.seeds import seeds

LONGEST = 32 * 1024


def main(arguments: list[str]) -> None:
    """Search, beginning with the seeds and with what was found before."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        options = [f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=1024", "-use_value_profile=1"]
        # libFuzzer writes what is new to the first folder.
        atheris.Setup([arguments[0], *options, *arguments[1:], folder], lambda data: try_image(data) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
