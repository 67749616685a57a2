"""The gate for real tools: absent ones are said in one line a package, and fail where CI=true."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

EXAMPLE = """
import pytest

@pytest.mark.real_tool("qemu-img")
def test_image(real_tool):
    assert real_tool("qemu-img").endswith("qemu-img")

@pytest.mark.real_tool("qemu-img", "qemu-io")
def test_image_and_io(real_tool):
    assert real_tool("qemu-io").endswith("qemu-io")

@pytest.mark.real_tool("chromium")
def test_browser():
    pass

def test_nothing_needed():
    pass
"""

EXTRA = """
import pytest

@pytest.mark.real_tool("distributed")
def test_cluster(real_tool):
    assert real_tool("distributed")
"""

WITHOUT_IT = """
import importlib.util
importlib.util.find_spec = lambda name: None
"""

Outcome = tuple[int, str]


def run_gate(folder: Path, *, tools: list[str], ci: bool, test: str = EXAMPLE, workers: int = 0) -> Outcome:
    """Run *test* under our conftest on a machine that has just *tools*; return exit code and output."""
    programs = folder / "bin"
    programs.mkdir()
    for name in tools:
        (programs / name).touch(mode=0o755)
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_example.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = real_tool(name): needs it\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"-n{workers}"]
    environment = {"PATH": str(programs), "CI": "true"} if ci else {"PATH": str(programs)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def lines_about_tools(output: str) -> list[str]:
    return [line for line in output.splitlines() if "not run" in line]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_absent_tool_is_one_line_a_package_and_its_tests_are_not_run(tmp_path: Path, workers: int) -> None:
    code, output = run_gate(tmp_path, tools=[], ci=False, workers=workers)
    assert code == 0
    assert "1 passed" in output
    assert lines_about_tools(output) == [
        "1 not run: install chromium (Debian: apt-get install chromium)",
        "2 not run: install qemu-utils (Debian: apt-get install qemu-utils)",
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_in_ci_an_absent_tool_is_a_failure_that_names_the_package(tmp_path: Path, workers: int) -> None:
    code, output = run_gate(tmp_path, tools=["qemu-img", "qemu-io"], ci=True, workers=workers)
    assert code == 1
    assert "3 passed, 1 error" in output
    assert "a real tool is missing: install chromium" in output


@pytest.mark.parametrize("ci", [False, True])
def test_present_tools_let_every_test_run_and_say_nothing(tmp_path: Path, ci: bool) -> None:
    code, output = run_gate(tmp_path, tools=["qemu-img", "qemu-io", "google-chrome"], ci=ci)
    assert code == 0
    assert "4 passed" in output
    assert lines_about_tools(output) == []


def test_an_extra_that_is_absent_is_said_like_a_tool_and_fails_in_ci(tmp_path: Path) -> None:
    for ci, expected in ((False, pytest.ExitCode.NO_TESTS_COLLECTED), (True, pytest.ExitCode.TESTS_FAILED)):
        folder = tmp_path / str(ci)
        folder.mkdir()
        code, output = run_gate(folder, tools=[], ci=ci, test=EXTRA + WITHOUT_IT)
        assert code == expected
        if ci:
            assert "a real tool is missing: install blockops[dask]" in output
        else:
            assert lines_about_tools(output) == [
                "1 not run: install blockops[dask] (pip install 'blockops[dask]')"
            ]


def test_a_tool_that_no_marker_names_is_refused(tmp_path: Path) -> None:
    test = 'def test_it(real_tool):\n    real_tool("qemu-img")\n'
    code, output = run_gate(tmp_path, tools=["qemu-img"], ci=False, test=test)
    assert code == 1
    assert 'mark this test with @pytest.mark.real_tool("qemu-img")' in output


def test_a_misspelt_tool_is_refused(tmp_path: Path) -> None:
    test = 'import pytest\n@pytest.mark.real_tool("qemu")\ndef test_it():\n    pass\n'
    code, output = run_gate(tmp_path, tools=["qemu-img"], ci=False, test=test)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "no such real tool: qemu" in output
