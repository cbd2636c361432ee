"""The package, its manifest and its registration say the same thing."""

from __future__ import annotations

import ast
import inspect
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import fiftyone_dfaulo

ROOT = Path(__file__).parents[1]
MANIFEST = yaml.safe_load((ROOT / "fiftyone.yml").read_text(encoding="utf-8"))


class Recorder:
    """Stands in for FiftyOne's PluginContext."""

    def __init__(self, version: str = fiftyone_dfaulo.__version__) -> None:
        self.plugin_definition = SimpleNamespace(version=version, directory="FOLDER")
        self.registered: list[Any] = []

    def register(self, cls: Any) -> None:
        self.registered.append(cls)


@pytest.fixture
def fresh_warnings() -> Iterator[None]:
    """Forgets which version mismatches were told, before and after."""
    from fiftyone_dfaulo.plugin import _compare_versions

    _compare_versions.cache_clear()
    yield
    _compare_versions.cache_clear()


def test_version_is_the_same_in_setup_manifest_and_changelog() -> None:
    setup = subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    said = {setup.stdout.split()[-1], MANIFEST["version"], versions[0]}
    assert said == {fiftyone_dfaulo.__version__}


def test_fiftyone_versions_are_the_same_in_manifest_and_requirements() -> None:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert f"fiftyone{MANIFEST['fiftyone']['version']}" in requirements


def test_every_public_name_is_there() -> None:
    for name in fiftyone_dfaulo.__all__:
        assert getattr(fiftyone_dfaulo, name) is not None
    assert set(fiftyone_dfaulo.__all__) <= set(dir(fiftyone_dfaulo))


def test_public_names_are_what_type_checkers_see() -> None:
    tree = ast.parse(Path(fiftyone_dfaulo.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == fiftyone_dfaulo._HOMES


def test_public_names_include_every_error() -> None:
    from fiftyone_dfaulo import errors

    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert raised <= set(fiftyone_dfaulo.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = fiftyone_dfaulo.nonsense


def test_import_is_light() -> None:
    code = (
        "import sys, fiftyone_dfaulo; fiftyone_dfaulo.Settings; "
        "print(*{'torch', 'fiftyone', 'sklearn', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_manifest_lists_exactly_what_is_registered() -> None:
    recorder = Recorder()
    fiftyone_dfaulo.register(recorder)
    listed = MANIFEST["operators"] + MANIFEST.get("panels", [])
    assert sorted(cls().name for cls in recorder.registered) == sorted(listed)


def test_fiftyone_registers_all_that_the_manifest_lists() -> None:
    from fiftyone.plugins.context import PluginContext
    from fiftyone.plugins.definitions import PluginDefinition

    context = PluginContext(PluginDefinition.from_disk(str(ROOT / "fiftyone.yml")))
    context.register_all()
    assert context.errors == []
    assert [
        one.name for one in context.instances
    ] == context.plugin_definition.operators
    assert all(one.plugin_name == "@dfaulo/dfaulo" for one in context.instances)


def test_fiftyone_meets_the_classes_that_python_imports() -> None:
    from fiftyone.plugins.context import PluginContext
    from fiftyone.plugins.definitions import PluginDefinition

    from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness

    context = PluginContext(PluginDefinition.from_disk(str(ROOT / "fiftyone.yml")))
    context.register_all()
    assert ComputeSuspiciousness in [type(one) for one in context.instances]
    entry = "fiftyone.plugins.orgs.dfaulo.dfaulo"
    copies = {name for name in sys.modules if name.startswith(entry)}
    old = "py_entry" not in Path(inspect.getfile(PluginContext)).read_text("utf-8")
    # an old one executes the __init__.py beside the manifest, by the folder's name
    assert copies == (set() if old else {entry, f"{entry}._version"})


def test_manifest_of_another_version_is_reported_once(
    fresh_warnings: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fiftyone_dfaulo.register(Recorder(version="0.0.9"))
        fiftyone_dfaulo.register(Recorder(version="0.0.9"))
    (message,) = caplog.messages
    assert "FOLDER says that it is version 0.0.9" in message
    assert "fiftyone-dfaulo register" in message


def test_manifest_of_this_version_is_not_reported(
    fresh_warnings: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fiftyone_dfaulo.register(Recorder())
    assert caplog.messages == []
