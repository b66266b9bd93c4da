"""The rule of dependencies, read from the imports of the source: which way each part may look.

schemas ← core ← shells ← __main__. Services never import one another; core does no I/O; the wall
clock is read in one file.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("schemas", "services") for path in (ROOT / folder).rglob("*.py"))
CORE_LIBRARIES = {"msgspec"}
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
"""Attributes that read the wall clock, as they are written."""

IO_OF_THE_STANDARD_LIBRARY = {
    *(
        "asyncio",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "select",
        "selectors",
        "shutil",
    ),
    *("signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request"),
}


def test_there_is_something_to_read() -> None:
    assert len(SOURCES) > 20


def test_imports_point_one_way() -> None:
    wrong = [
        f"{_name(path)}:{line}: {name}"
        for path in SOURCES
        for line, name in _imports(path)
        if not _may_import(path, name)
    ]

    assert wrong == []


def test_the_wall_clock_is_read_in_one_file() -> None:
    readers = [
        f"{_name(path)}:{node.lineno}: {ast.unparse(node)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in WALL_CLOCK
    ]

    assert [reader for reader in readers if not reader.startswith("services/runtime/clock.py:")] == []


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _may_import(path: Path, name: str) -> bool:
    where = path.relative_to(ROOT).parts
    if name.startswith("services.") and not _may_import_service(where, name.split(".")[1]):
        return False
    if name.startswith("tests"):
        return False
    return not _is_core(where) or _is_pure(name)


def _may_import_service(where: tuple[str, ...], service: str) -> bool:
    if where[0] == "schemas":
        return False
    return service == where[1] or (service == "runtime" and not _is_core(where))


def _is_core(where: tuple[str, ...]) -> bool:
    """What STYLE.md's map calls core: rules without I/O. Schemas are held to the same."""
    if where == ("schemas", "generate.py"):  # writes the generated files: a tool, not a message
        return False
    return (
        where[0] == "schemas"
        or where[:3] in (("services", "aggregator", "core"), ("services", "notifier", "core"))
        or where[-1] == "translate.py"
        or where == ("services", "api", "board.py")
    )


def _is_pure(name: str) -> bool:
    first = name.split(".")[0]
    if first in ("schemas", "services"):
        return True  # which of them: `_may_import_service`
    if first in sys.stdlib_module_names:
        return first not in IO_OF_THE_STANDARD_LIBRARY and name not in IO_OF_THE_STANDARD_LIBRARY
    return first in CORE_LIBRARIES


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module imported anywhere in the file, with its line; `from services import x` as services.x."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            module = node.module or ""
            names = [f"{module}.{a.name}" for a in node.names] if module == "services" else [module]
            yield from ((node.lineno, name) for name in names)
