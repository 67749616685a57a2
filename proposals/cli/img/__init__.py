"""`blockops img VERB`: the verbs, options, output and exit codes of qemu-img, over `blockops.img`.

program    the verbs together                 ending     how one ends: qemu-img's exit codes
arguments  options that several verbs have    human      what people read
looking    info, check, map and compare      progress   how far it is
making     create and convert                 changing   resize, rebase, commit and snapshot
measuring  bench
"""

from collections.abc import Sequence


def start(arguments: Sequence[str]) -> int:
    """Run `blockops img` on *arguments* and return its exit code."""
    from proposals.cli.img.ending import ended  # noqa: PLC0415  # see proposals.cli.main
    from proposals.cli.img.program import img_command  # noqa: PLC0415

    return ended(img_command, arguments)
