"""`blockops compare --dask`: a cluster of processes judges as we would, whoever of it dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blockops.report.document import from_text
from tests.cli.program import REAL, assert_refused, begun, environment, files_in, run

SMALL = ("--contestant", "naive-loop.as-posted.naive", "--use-case", "group-snapshot", "--devices", "2")

CLUSTER = """
import os
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        pids = [nanny.process.pid for nanny in cluster.workers.values()]
        print(cluster.scheduler_address, os.getpid(), *pids, flush=True)
        sys.stdin.read()
"""


@contextmanager
def local_cluster(folder: Path, **more: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a scheduler on this machine, its pid, and those of its two workers."""
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    env = {**environment(), **more}
    quiet = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with begun(sys.executable, str(program), cwd=folder, env=env, **quiet) as process:
        assert process.stdout is not None
        address, *pids = process.stdout.readline().split()
        yield address, [int(pid) for pid in pids]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    with local_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def report_in(folder: Path) -> dict[str, Any]:
    """A report's values but for the clock."""
    values: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert values.pop("timing")
    return values


@pytest.fixture(scope="module")
def by_ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ours")
    assert run("compare", *SMALL, "--out", folder).returncode == 0
    return report_in(folder)


@pytest.mark.real_tool("distributed")
def test_a_cluster_finds_what_our_own_workers_find_also_where_one_is_killed_midway(
    cluster: tuple[str, list[int]], by_ours: dict[str, Any], tmp_path: Path
) -> None:
    address, pids = cluster
    with begun(*REAL, "compare", *SMALL, "--dask", address, "--out", str(tmp_path)) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        os.kill(pids[1], signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert not first.startswith("100 ")
    assert "Traceback" not in errors
    assert report_in(tmp_path) == by_ours
    assert by_ours["violations"]


@pytest.mark.real_tool("distributed")
def test_an_interrupt_leaves_a_report_of_what_the_cluster_had_judged(
    cluster: tuple[str, list[int]], tmp_path: Path
) -> None:
    command = [*REAL, "compare", "--use-case", "group-snapshot", "--devices", "2"]
    with begun(*command, "--dask", cluster[0], "--out", str(tmp_path)) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert from_text((tmp_path / "report.json").read_text()).interrupted


@pytest.mark.real_tool("distributed")
def test_where_the_scheduler_dies_one_sentence_says_so_and_what_was_judged_stays(tmp_path: Path) -> None:
    with local_cluster(tmp_path) as (address, pids):
        command = [*REAL, "compare", *SMALL, "--dask", address, "--out", str(tmp_path / "report")]
        with begun(*command) as process:
            assert process.stderr is not None
            process.stderr.readline()
            os.kill(pids[0], signal.SIGKILL)
            _, errors = process.communicate(timeout=300)
    assert process.returncode == 4, errors
    assert errors.splitlines()[-1].startswith(f"blockops: --dask {address}: the scheduler is gone")
    assert "Traceback" not in errors
    assert files_in(tmp_path / "report") == ["results.sqlite"]


@pytest.mark.real_tool("distributed")
def test_workers_without_this_code_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "proposals").mkdir()
    (tmp_path / "proposals" / "__init__.py").touch()  # hides ours, and has nothing
    out = tmp_path / "report"
    with local_cluster(tmp_path, PYTHONPATH=str(tmp_path)) as (address, _):
        done = run("compare", *SMALL, "--dask", address, "--out", out)
    assert_refused(done, 4, address, "a worker cannot take part", "proposals")
    assert not out.exists()


@pytest.mark.real_tool("distributed")
def test_a_scheduler_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    done = run("compare", *SMALL, "--dask", "tcp://127.0.0.1:1", "--out", tmp_path / "report")
    assert_refused(done, 4, "tcp://127.0.0.1:1", "no scheduler answers")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("address", ["", "nonsense", "tcp://there", "http://there:80"])
def test_what_is_no_address_is_one_sentence(tmp_path: Path, address: str) -> None:
    assert_refused(run("compare", "--dask", address, "--out", tmp_path / "report"), 4, "--dask", "HOST:PORT")


def test_without_the_extra_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['distributed'] = None; from proposals.cli import main; sys.exit(main())"
    )
    program = (REAL[0], "-c", without)
    done = run("compare", "--dask", "tcp://there:1", "--out", tmp_path / "report", program=program)
    assert_refused(done, 4, "--dask", "pip install 'blockops[dask]'")
