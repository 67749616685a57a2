"""What every test may use: Hypothesis profiles and the gate for real tools.

A test that needs QEMU or a browser says so with `@pytest.mark.real_tool("qemu-img", …)` and asks the
`real_tool` fixture for the program's path; one that needs an extra of ours names its library, "distributed".
Where what it needs is absent the test is not run and the
summary says what to install, one line a package; with CI=true in the environment it fails instead, so
that a machine which should have the tool cannot quietly stop testing with it.
"""

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

# What a test may ask for: the executables that would do, in order of preference, and Debian's package.
TOOLS: dict[str, tuple[tuple[str, ...], str]] = {
    "qemu-img": (("qemu-img",), "qemu-utils"),
    "qemu-io": (("qemu-io",), "qemu-utils"),
    "qemu-storage-daemon": (("qemu-storage-daemon",), "qemu-system-common"),
    "qemu-system-x86_64": (("qemu-system-x86_64",), "qemu-system-x86"),
    "cc": (("cc",), "gcc"),
    "nbdinfo": (("nbdinfo",), "libnbd-bin"),
    "nbdcopy": (("nbdcopy",), "libnbd-bin"),
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
}

# Libraries that a test may ask for in the same way: the extra of ours that brings them.
EXTRAS = {"distributed": "blockops[dask]", "zstandard": "blockops[zstd]"}

NOT_RUN = pytest.StashKey[Counter[str]]()

# No deadline: a slow machine is not a bug.  "ci" draws the same examples on every run.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "default")
)


def find_tool(name: str) -> str | None:
    """Return the path of a real program of `TOOLS`, or a library's; None where it is not installed."""
    if name in EXTRAS:
        found = importlib.util.find_spec(name)
        return None if found is None else found.origin
    executables, _ = TOOLS[name]
    return next((path for path in map(shutil.which, executables) if path), None)


def tools_of(item: pytest.Item) -> list[str]:
    """Return the names of the real programs that a test says it needs."""
    names = [name for mark in item.iter_markers("real_tool") for name in mark.args]
    if unknown := [name for name in names if name not in {**TOOLS, **EXTRAS}]:
        raise pytest.UsageError(f"{item.nodeid}: no such real tool: {', '.join(unknown)}")
    return names


def missing_packages(item: pytest.Item) -> list[str]:
    """Return the packages that what a test needs comes from and that are not here, sorted."""
    absent = [name for name in tools_of(item) if find_tool(name) is None]
    return sorted({EXTRAS[name] if name in EXTRAS else TOOLS[name][1] for name in absent})


def how_to_install(package: str) -> str:
    """Return what brings a package of `TOOLS` or `EXTRAS` onto this machine."""
    return f"pip install '{package}'" if package in EXTRAS.values() else f"Debian: apt-get install {package}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests whose programs are absent, and remember what would bring them back."""
    if os.environ.get("CI") == "true":
        return
    missing = {item: missing_packages(item) for item in items}
    not_run = Counter(package for packages in missing.values() for package in packages)
    config.stash[NOT_RUN] = not_run
    config.hook.pytest_deselected(items=[item for item in items if missing[item]])
    items[:] = [item for item in items if not missing[item]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose programs are absent: only reached with CI=true, where none is taken out."""
    if packages := missing_packages(item):
        pytest.fail(f"a real tool is missing: install {' '.join(packages)}", pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell pytest-xdist's controller, which collects nothing itself, what this worker left out."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        not_run = session.config.stash[NOT_RUN]
        output["not_run"] = dict(not_run)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker left out: every worker collects the same tests, so one report is all."""
    left_out: Counter[str] = Counter(getattr(node, "workeroutput", {}).get("not_run", {}))
    node.config.stash[NOT_RUN] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for package, count in sorted(config.stash[NOT_RUN].items()):
        terminalreporter.write_line(f"{count} not run: install {package} ({how_to_install(package)})")


@pytest.fixture
def real_tool(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return the path of a real program that the test's `real_tool` marker names."""

    def path_of(name: str) -> str:
        if name not in tools_of(request.node):
            pytest.fail(f'mark this test with @pytest.mark.real_tool("{name}")', pytrace=False)
        path = find_tool(name)
        assert path is not None, f"{name} vanished while the tests ran"
        return path

    return path_of
