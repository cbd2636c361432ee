"""docs/architecture.md is true, and the house stays as small as it says."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fiftyone_dfaulo"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)

MOST_LINES = 300
MOST_FILES = 12
MOST_ANY = 120

MODULES = sorted(PACKAGE.rglob("*.py"))


def place_of(path: str) -> Path:
    """A path of the page, in the package or else in the repository."""
    inside = PACKAGE / path
    return inside if inside.exists() else ROOT / path


def definitions(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    """Names that a module defines, and with their class those that its classes do."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield within + node.name
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body, f"{node.name}.")
        if isinstance(node, ast.Assign):
            yield from (within + n.id for n in node.targets if isinstance(n, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield within + node.target.id


def defined(path: Path) -> set[str]:
    return set(definitions(ast.parse(path.read_text(encoding="utf-8")).body))


SPANS = sorted(set(re.findall(r"`([^`\n]+)`", PROSE)))
PLACES = [span for span in SPANS if re.match(r"[\w/]+(\.(py|toml|yml)|/)(: |$)", span)]
NAMES = [span for span in SPANS if re.fullmatch(r"[A-Z]\w+(\.\w+)?", span)]


def test_places_are_found_in_the_page() -> None:
    assert len(PLACES) > 40
    assert len(NAMES) > 8


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_the_page_names_is_there(place: str) -> None:
    path, _, names = place.partition(": ")
    file = place_of(path)
    assert file.exists(), f"{path} is not there"
    missing = {*filter(None, names.split(", "))} - (defined(file) if names else set())
    assert not missing, f"{path} does not define {', '.join(sorted(missing))}"


@pytest.mark.parametrize("name", NAMES)
def test_every_class_that_the_page_names_alone_is_there(name: str) -> None:
    assert any(name in defined(path) for path in MODULES)


@pytest.mark.parametrize("floor", ["plugin", "adapter", "engine"])
def test_the_drawing_shows_the_rooms_in_the_order_of_imports(floor: str) -> None:
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    held = rf'containers = \["fiftyone_dfaulo\.{floor}"\]\nlayers = \[(.*?)\]\n'
    (layers,) = re.findall(held, config, re.DOTALL)
    (box,) = re.findall(rf"^\+- {floor}/:.*?\n(.*?)^\+", TEXT, re.DOTALL | re.MULTILINE)
    left = "\n".join(line[:27] for line in box.splitlines())
    assert re.findall(r"(\w+)(?:/|\.py)", left) == re.findall(r"\w+", layers)


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): path.read_text("utf-8").count("\n")
        for path in MODULES
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_no_room_is_too_full() -> None:
    counts = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    full = {str(room.relative_to(ROOT)): n for room, n in counts.items()}
    assert {room: n for room, n in full.items() if n > MOST_FILES} == {}


def is_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation is Any, or a union with it."""
    if isinstance(annotation, ast.BinOp):
        return is_any(annotation.left) or is_any(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id == "Any"


def count_any(tree: ast.AST) -> int:
    """How many parameters and results of functions may be anything."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            named += filter(None, (given.vararg, given.kwarg))
            count += sum(is_any(one.annotation) for one in named)
            count += is_any(node.returns)
    return count


def test_any_is_counted_in_parameters_and_results() -> None:
    source = (
        "def f(a: Any, *b: Any, c: dict[str, Any], d: Any | None = None) -> Any: ..."
    )
    assert count_any(ast.parse(source)) == 4


def test_few_signatures_take_or_give_anything() -> None:
    counts = {
        str(path.relative_to(PACKAGE)): count_any(ast.parse(path.read_text("utf-8")))
        for path in MODULES
    }
    total = sum(counts.values())
    most = sorted(counts.items(), key=lambda pair: -pair[1])[:10]
    assert total <= MOST_ANY, f"{total} times Any in signatures, most in {most}"
