"""What a module may contain and use, judged from its text alone.

The *core* is all of the product but the places that talk to a person or keep results: it touches the
operating system through `blockops.host` only, and knows no clock, no chance and no order of a set.
"""

import ast
from collections.abc import Iterator

from tests.architecture.sources import Source

FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc")

OPERATING_SYSTEM = (
    *("os", "io", "pathlib", "shutil", "tempfile", "glob", "fcntl", "mmap", "stat", "ctypes"),
    *("subprocess", "socket", "signal", "sqlite3", "resource"),
)
CHANCE = (
    *("random", "secrets", "uuid", "time", "datetime", "threading", "multiprocessing", "concurrent"),
    *("asyncio", "locale", "platform", "gc", "weakref"),
)

# Who may touch the operating system, and why.
TOUCHES_THE_SYSTEM = {
    "blockops/host/": "the seam itself",
    "blockops/nbd/": "serves clients; what it serves reaches files through the seam",
    "blockops/report/": "reads its templates and writes the report",
    "blockops/lab/": "keeps results and runs on all cores; its worlds are made of wrapped hosts",
    "proposals/bench/": "measures: raw files, clocks, and the tools of others",
    "proposals/cli": "reads arguments, finds files, draws on a terminal",
    "proposals/__main__.py": "the same",
}
# Single modules, where the module named is used for nothing but what is said.
EXCEPTIONS = {
    ("blockops/errors.py", "os"): "os.strerror, the words for an errno",
}

# Every dependency has its place: whoever replaces one knows where to look.
DEPENDENCIES = {
    "attrs": ("blockops/", "proposals/"),
    "cattrs": ("blockops/qmp/", "blockops/management/", "blockops/lab/", "blockops/report/", "proposals/"),
    "click": ("proposals/cli",),
    "rich": ("proposals/cli", "blockops/report/"),
    "jinja2": ("blockops/report/",),
    "hypothesis": ("blockops/lab/",),
    "distributed": ("proposals/cli/cluster",),
    "zstandard": ("blockops/qcow2/compression",),
}


def is_core(path: str) -> bool:
    """Tell whether a module is of the core."""
    return not path.startswith(tuple(TOUCHES_THE_SYSTEM))


def bad_name(source: Source) -> list[str]:
    """Return the parts of a module's path that say nothing about what is in it."""
    return [part for part in source.path.removesuffix(".py").split("/") if part in FORBIDDEN_NAMES]


def reaches_around_the_seam(source: Source) -> list[str]:
    """Return what a module of the core uses of the operating system, time and chance."""
    banned = OPERATING_SYSTEM + CHANCE
    used = sorted({name.split(".")[0] for name in source.imports()})
    imports = [name for name in used if name in banned and (source.path, name) not in EXCEPTIONS]
    return imports + [f"open() in line {node.lineno}" for node in calls_of(source, "open")]


def calls_of(source: Source, builtin: str) -> Iterator[ast.Call]:
    """Yield the calls of a builtin by its bare name."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name == builtin:
                yield node
            case _:
                pass


def walks_a_set(source: Source) -> list[int]:
    """Return the lines that iterate over a set as it stands, whose order differs from run to run."""
    return [node.lineno for node in iterated(source) if is_set(node)]


def iterated(source: Source) -> Iterator[ast.expr]:
    """Yield the expressions that loops, comprehensions and what makes sequences run over."""
    for node in ast.walk(source.tree):
        match node:
            case ast.For(iter=run_over) | ast.comprehension(iter=run_over):
                yield run_over
            case ast.Call(
                func=ast.Name(id="list" | "tuple" | "iter" | "enumerate" | "zip" | "map"), args=args
            ):
                yield from args
            case _:
                pass


def is_set(node: ast.expr) -> bool:
    """Tell whether an expression is, as written, a set."""
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub(), right=right):
            return is_set(left) or is_set(right)
        case _:
            return False


def misplaced_dependencies(source: Source) -> list[str]:
    """Return the third-party packages that this module imports and should not."""
    used = sorted({name.split(".")[0] for name in source.imports()})
    return [name for name in used if name in DEPENDENCIES and not source.path.startswith(DEPENDENCIES[name])]


def unfinished(source: Source) -> list[int]:
    """Return the lines that put something off."""
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    lines = enumerate(source.text.splitlines(), 1)
    return [number for number, line in lines if any(mark in line for mark in marks)]
