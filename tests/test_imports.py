"""Imports go one way: plugin -> adapter -> engine -> config, errors."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fiftyone_dfaulo"

MAY_IMPORT = {
    "_version": set(),
    "errors": set(),
    "config": {"errors"},
    "engine": {"_version", "errors", "config", "engine"},
    "adapter": {"_version", "errors", "config", "engine", "adapter"},
    "plugin": {"_version", "errors", "config", "engine", "adapter", "plugin"},
}
"""Part of the package -> the parts it may import; the doors (below) may import all."""

DOORS = {"__init__", "__main__"}

DISTRIBUTIONS = {
    "PIL": "pillow",
    "bson": "fiftyone",  # the driver of FiftyOne's database, which FiftyOne picks
    "pymongo": "fiftyone",
    "sklearn": "scikit-learn",
}
"""What pip calls the packages that Python calls otherwise, or where they come from."""


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of all that is imported, also inside functions and by string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                parents = package.split(".")[: 1 - node.level or None]
                home = ".".join([*parents, *filter(None, [home])])
            yield from (f"{home}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            names = (a.value for a in node.args if isinstance(a, ast.Constant))
            yield from (name for name in names if isinstance(name, str))


def faults(source: str, part: str, package: str) -> list[str]:
    """The imports that this part of the package must not have."""
    found = []
    for name in imports(ast.parse(source), package):
        ours = re.fullmatch(r"fiftyone_dfaulo\.(\w+).*", name)
        if ours and part not in DOORS and ours[1] not in MAY_IMPORT[part]:
            found.append(name)
        if re.match(r"fiftyone(\.|$)", name) and part not in {"adapter", "plugin"}:
            found += [name] if part not in DOORS else []
        if re.match(r"fiftyone\.operators(\.|$)", name) and part != "plugin":
            found.append(name)
    return sorted(set(found))


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_imports_only_what_lies_below_it(path: Path) -> None:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert faults(path.read_text(encoding="utf-8"), part_of(path), package) == []


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("errors", "from fiftyone_dfaulo.config import Settings"),
        ("engine", "import fiftyone as fo"),
        ("engine", "def f():\n    import fiftyone.core.utils as fou"),
        ("engine", "from fiftyone_dfaulo.adapter import runs"),
        ("engine", "from ..adapter.runs import DFauLo"),
        ("engine", "if TYPE_CHECKING:\n    from fiftyone_dfaulo import adapter"),
        ("engine", "importlib.import_module('fiftyone')"),
        ("adapter", "from fiftyone_dfaulo.plugin.operators import compute"),
        ("adapter", "from fiftyone import operators"),
        ("adapter", "foo = fou.lazy_import('fiftyone.operators')"),
        ("__main__", "import fiftyone.operators.types"),
    ],
)
def test_import_in_the_wrong_direction_is_found(part: str, source: str) -> None:
    assert len(faults(source, part, f"fiftyone_dfaulo.{part}")) == 1


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("engine", "from fiftyone_dfaulo.errors import InputError\nimport torch"),
        ("engine", "from .network import SmallResNet"),
        (
            "adapter",
            "import fiftyone.core.runs\nfrom fiftyone_dfaulo import config",
        ),
        ("plugin", "import fiftyone.operators as foo\nfrom ..adapter import compute"),
        ("__main__", "import fiftyone.plugins as fop"),
    ],
)
def test_import_in_the_right_direction_is_not(part: str, source: str) -> None:
    assert faults(source, part, f"fiftyone_dfaulo.{part}") == []


def test_every_package_that_is_imported_is_a_requirement() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    required = set(re.findall(r"^[\w-]+", text, re.MULTILINE))
    imported = {
        name.split(".")[0]
        for path in MODULES
        for name in imports(ast.parse(path.read_text(encoding="utf-8")), "")
    } - {"", "fiftyone_dfaulo", *sys.stdlib_module_names}
    assert {DISTRIBUTIONS.get(name, name) for name in imported} == required
