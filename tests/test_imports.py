"""What is imported where; import-linter (pyproject.toml) holds most of it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fiftyone_dfaulo"

OPERATORS = re.compile(r"fiftyone\.operators(\.|$)")

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"

DISTRIBUTIONS = {
    "PIL": "pillow",
    "pillow_heif": "pillow-heif",
    "bson": "fiftyone",  # the driver of FiftyOne's database, which FiftyOne picks
    "mongoengine": "fiftyone",
    "pymongo": "fiftyone",
    "packaging": "fiftyone",
    "sklearn": "scikit-learn",
    "yaml": "fiftyone",
}
"""What pip calls the packages that Python calls otherwise, or where they come from."""


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported, also inside functions and by string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            names = (a.value for a in node.args if isinstance(a, ast.Constant))
            yield from (name for name in names if isinstance(name, str))


def faults(source: str) -> list[str]:
    """The imports that nothing below the plugin must have."""
    found = {name for name in imports(ast.parse(source)) if OPERATORS.match(name)}
    return sorted(found)


MODULES = sorted(PACKAGE.rglob("*.py"))
BELOW = [
    path
    for path in MODULES
    if path.relative_to(PACKAGE).parts[0] in ("engine", "adapter")
]


@pytest.mark.parametrize("path", BELOW, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_plugin_imports_what_runs_operators(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from fiftyone import operators",
        "from fiftyone.operators.types import Object",
        "def f():\n    import fiftyone.operators as foo",
        "foo = fou.lazy_import('fiftyone.operators')",
    ],
)
def test_such_an_import_is_found(source: str) -> None:
    assert len(faults(source)) == 1


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("errors", "from fiftyone_dfaulo import config", "Imports go one way"),
        ("engine/signals", "import fiftyone as fo", "The engine knows no FiftyOne"),
        ("engine/method/heads", "def f():\n    import ray", "Ray is known to one room"),
        (
            "engine/device",
            "from fiftyone_dfaulo.adapter.runs import keys",
            "Imports go one way",
        ),
        (
            "adapter/targets/sample",
            "from fiftyone_dfaulo.adapter.runs import keys",
            "The rooms of the adapter",
        ),
        (
            "engine/method/heads",
            "def f():\n    from fiftyone_dfaulo.engine.method import ensemble",
            "No cycles between rooms or within one",
        ),
    ],
)
def test_import_linter_finds_what_must_not_be(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / PACKAGE.name / f"{module}.py").open("a") as file:
        file.write(f"\n{line}\n")
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    broken = re.findall(r"^(.*) BROKEN\b", done.stdout, re.MULTILINE)
    assert any(name.startswith(contract) for name in broken), done.stdout


OPTIONAL = {"pillow-heif", "ray"}
"""What an extra brings, imported where it is needed alone."""


def test_every_package_that_is_imported_is_a_requirement() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    required = set(re.findall(r"^[\w-]+", text, re.MULTILINE))
    imported = {
        name.split(".")[0]
        for path in MODULES
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
    } - {"", "fiftyone_dfaulo", *sys.stdlib_module_names}
    assert {DISTRIBUTIONS.get(name, name) for name in imported} - OPTIONAL == required


def test_what_older_releases_lack_comes_from_one_file() -> None:
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if "operators.types import RiskLevel" in path.read_text(encoding="utf-8")
    ]
    assert found == ["plugin/host.py"]
