"""The verb that measures: `bench`."""

import time
from typing import Any

import click

from blockops.host.posix import PosixFolder
from blockops.img.bench import Requests, bench
from blockops.img.opening import open_chain
from proposals.cli.img import arguments

BENCH = """Measure how long many equal requests take, one after the other.

\b
Examples:
  blockops img bench -c 100000 disk.qcow2
  blockops img bench -w -s 64k -c 1000 scratch.qcow2
"""


@click.command("bench", help=BENCH, short_help="How fast an image is read or written.")
@arguments.with_all(
    arguments.filename,
    arguments.first_format,
    click.option("-c", "count", type=click.IntRange(0), default=75000, help="How many requests."),
    click.option("-d", "depth", type=click.IntRange(1), help="Has no effect: there is one at a time."),
    click.option("-s", "size", type=arguments.SIZE, default=4096, help="Bytes of a request."),
    click.option("-S", "step", type=arguments.SIZE, help="Bytes from one to the next; -s if not given."),
    click.option("-o", "offset", type=arguments.SIZE, default=0, help="Where the first one is."),
    click.option("-w", "write", is_flag=True, help="Write, which overwrites what is there."),
    click.option("--pattern", type=click.IntRange(0, 255), default=0, help="The byte to write."),
    click.option("--flush-interval", type=click.IntRange(0), default=0, help="Flush after so many writes."),
    arguments.cache,
    arguments.quiet,
    arguments.force_share,
)
def bench_verb(
    filename: str,
    format: str | None,
    depth: int | None,
    cache: str | None,
    quiet: bool,
    force_share: bool,
    **given: Any,
) -> int:
    """Send requests and print how long they took; -q changes nothing, as with qemu-img."""
    requests = Requests(**given)
    durable = cache != "unsafe"
    with open_chain(
        PosixFolder("."),
        filename,
        format,
        writable=requests.write,
        force_share=force_share,
        durable=durable,
    ) as chain:
        click.echo(
            f"Sending {requests.count} {'write' if requests.write else 'read'} requests, "
            f"{requests.size} bytes each, 1 in parallel "
            f"(starting at offset {requests.offset}, step size {requests.stride})"
        )
        if requests.flush_interval:
            click.echo(f"Sending flush every {requests.flush_interval} requests")
        seconds = bench(chain, requests, time.perf_counter)
    click.echo(f"Run completed in {seconds:.3f} seconds.")
    return 0
