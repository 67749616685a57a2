"""What a design takes, measured on its source with `ast`.

*Branches* of a management program: its decisions.  Counted are `if`, conditional expressions, loops and
comprehensions with their conditions, `except` clauses, `match` cases but the first, and each further
operand of `and` and `or`, in the program and in every function that it can reach by name in its own
package, in `blockops.management.programs` and in `blockops.management.careful`.  What the desk does for
everybody is not counted; neither is the restart after a crash, which all designs share.

*Places* of an operation: the functions, methods, class bodies and module-level tables of a proposal's
package that mention it in a name.  Each is somewhere that adding it had to touch; imports and what is
shared by all designs are not counted.
"""

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import FunctionType, ModuleType
from typing import Any

from blockops.management.contestant import Contestant, Entry, Inexpressible

SHARED = ("blockops.management.programs", "blockops.management.careful")


def branches(contestant: Contestant, use_case: str) -> int | None:
    """Return how many decisions the program for *use_case* takes; None where it is inexpressible."""
    program = contestant.program(use_case)
    if isinstance(program, Inexpressible):
        return None
    home = package_of(contestant.entry)
    return sum(decisions(_tree(function)) for function in _reachable(program, home))


def _reachable(program: Callable[..., Any], home: str) -> list[FunctionType]:
    """Return the program and what it can reach in the package *home* and in what all share, each once."""
    assert isinstance(program, FunctionType)
    found: dict[str, FunctionType] = {}
    waiting = [program]
    while waiting:
        function = waiting.pop()
        name = f"{function.__module__}.{function.__qualname__}"
        if name not in found:
            found[name] = function
            waiting += [other for other in _named_in(function) if _counts(other, home)]
    return list(found.values())


def _counts(function: FunctionType, home: str) -> bool:
    return function.__module__ in SHARED or function.__module__.startswith(f"{home}.")


def _named_in(function: FunctionType) -> Iterator[FunctionType]:
    """Yield the functions that *function* mentions, those that it closes over included."""
    known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Name) and isinstance(other := known.get(node.id), FunctionType):
            yield other


@functools.cache
def _tree(function: FunctionType) -> ast.AST:
    return ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))


def decisions(tree: ast.AST) -> int:
    """Return the number of decisions in a piece of source."""
    return sum(_decides(node) for node in ast.walk(tree))


def _decides(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.IfExp() | ast.For() | ast.While() | ast.ExceptHandler():
            return 1
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.Match(cases=cases):
            return len(cases) - 1
        case ast.comprehension(ifs=ifs):
            return 1 + len(ifs)
        case _:
            return 0


# ------------------------------------------------------------------------------------- states, places


def package_of(entry: Entry) -> str:
    """Return the package that a design's commands live in."""
    return entry.make.__module__.rpartition(".")[0]


def table_of(entry: Entry) -> dict[Any, Any] | None:
    """Return the design's table of states and moves; None where it keeps none."""
    name = f"{package_of(entry)}.state"
    if find_spec(name) is None:
        return None
    table: dict[Any, Any] = dict(import_module(name).TABLE)
    return table


def states(entry: Entry) -> int | None:
    """Return how many states the server can be in between two commands."""
    table = table_of(entry)
    return None if table is None else len({state for state, _ in table} | set(table.values()))


def moves(entry: Entry) -> int | None:
    """Return how many pairs of state and move are legal."""
    table = table_of(entry)
    return None if table is None else len(table)


def places(entry: Entry, operation: str) -> tuple[str, ...]:
    """Return the places in a design's package, management left out, that mention *operation*."""
    return _places(_modules(import_module(package_of(entry))), operation)


def places_in(names: Iterable[str], word: str) -> tuple[str, ...]:
    """Return the places in the modules of these names that mention *word*."""
    return _places(map(import_module, names), word)


def _places(modules: Iterable[ModuleType], word: str) -> tuple[str, ...]:
    return tuple(f"{one.__name__}.{name}" for one in modules for name in _mentioning(one, word))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in iter_modules(package.__path__):
        if info.name != "management":
            yield import_module(f"{package.__name__}.{info.name}")


def _mentioning(module: ModuleType, operation: str) -> Iterator[str]:
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node, operation)
        elif isinstance(node, ast.FunctionDef) and _mentions(node, operation):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _mentions(node, operation):
            yield ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def _of_class(node: ast.ClassDef, operation: str) -> Iterator[str]:
    for inner in node.body:
        if _mentions(inner, operation):
            yield f"{node.name}.{inner.name}" if isinstance(inner, ast.FunctionDef) else node.name


def _mentions(node: ast.AST, operation: str) -> bool:
    """Whether a name in a piece of source has the word in it."""
    names = (_word(inner) for inner in ast.walk(node))
    return any(operation in name.lower() for name in names)


def _word(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            return name
        case _:
            return ""


def shared_with(entry: Entry, other: Entry) -> tuple[frozenset[str], frozenset[str]]:
    """Return what *entry* uses of `blockops.commands`, and what of that *other* uses as well."""
    own, others = (_borrowed(package_of(one)) for one in (entry, other))
    return own, own & others


def _borrowed(package: str) -> frozenset[str]:
    """Return the names that the package's commands module imports from `blockops.commands`."""
    tree = ast.parse(inspect.getsource(import_module(f"{package}.commands")))
    return frozenset(
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blockops.commands.")
        for alias in node.names
        if alias.name not in ("Action", "Profile", "Mode")
    )
