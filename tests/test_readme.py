"""The README holds: its Python runs, its commands are run, its facts are the code's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import yaml

from fiftyone_dfaulo.adapter.storage.schema import field_names, review_names
from fiftyone_dfaulo.engine.method import multi_label
from fiftyone_dfaulo.engine.method.reasons import REASONS
from tests.objects import paste_digits
from tests.tagged import build_pairs, draw_pairs
from tests.videos import build_videos

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMANDS = {
    "pip install .": "tests/test_install.py::installed",
    "fiftyone-dfaulo register": "tests/test_install.py::installed",
    "fiftyone plugins download ADDRESS": "tests/test_install.py::downloaded",
    "fiftyone plugins requirements @dfaulo/dfaulo --install": (
        "tests/test_install.py::downloaded"
    ),
    "python examples/folder.py FOLDER": (
        "tests/test_folder.py::test_folders_of_classes_are_read_without_train_too"
    ),
    "make demo": "tests/test_demo.py::printed",
    "make app": "tests/test_demo.py::test_app_opens_on_what_the_demo_made",
}
"""Every command of the README, and what runs it."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_snippet_runs(
    make_dataset: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    dataset = make_dataset(["ab"[n % 2] for n in range(60)])
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    dataset.set_values("my_embeddings", list(vectors))
    detections = paste_digits(tmp_path / "canvases", 80)
    tagged = build_pairs(tmp_path / "pairs", draw_pairs(80, 8))
    videos = build_videos(tmp_path)
    datasets = {
        "my-dataset": dataset,
        "my-detections": detections,
        "my-multilabel": tagged,
        "my-videos": videos,
    }
    load = fo.load_dataset
    monkeypatch.setattr(
        fo,
        "load_dataset",
        lambda name: datasets[name] if name in datasets else load(name),
    )
    monkeypatch.chdir(tmp_path)
    detections.clone_sample_field("boxes", "predictions")
    detections.set_values(
        "predictions.detections.confidence",
        [[0.9] * len(some) for some in detections.values("boxes.detections")],
    )
    names: dict[str, Any] = {}
    for snippet in blocks("python"):
        exec(snippet, names)
    assert len(names["worst"]) == 60
    assert dataset.list_brain_runs() == ["dfaulo", "together", "with_my_model"]
    assert dataset.load_saved_view("to relabel").count() == 5
    assert (tmp_path / "gallery.png").is_file()
    assert names["quality"]["samples"] == 60
    assert not names["copy"].has_sample_field("injected_fault")
    names["copy"].delete()
    assert (tmp_path / "review.csv").read_text().count("\n") == 51
    assert detections.count_values("boxes.detections.objects_verdict") == {
        "faulty": 5,
        "correct": 45,
        None: 30,
    }
    detections.delete()
    assert videos.count_values("frames.video_verdict") == {
        "faulty": 3,
        "correct": 47,
        None: 10,
    }
    videos.delete()
    assert tagged.list_brain_runs() == ["several"]
    assert names["first"].several_suggestion is not None
    tagged.delete()


def test_every_command_is_run_by_a_test() -> None:
    commands = [line for block in blocks("shell") for line in block.splitlines()]
    assert set(commands) == set(COMMANDS)
    for place in COMMANDS.values():
        file, name = place.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_fields_and_reasons_are_those_of_the_code() -> None:
    assert re.findall(r"^\| `(dfaulo_\w+)`", README, re.MULTILINE) == [
        *field_names("dfaulo"),
        *review_names("dfaulo"),
    ]
    for reason in (*REASONS, *multi_label.REASONS):
        assert f"`{reason}`" in README


def test_linked_files_are_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


def test_the_python_version_is_that_of_the_package() -> None:
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    (least,) = re.findall(r'python_requires=">=([\d.]+)"', setup)
    assert f"Python {least} or later" in README


def test_the_plugin_is_named_as_in_its_manifest() -> None:
    manifest = yaml.safe_load((ROOT / "fiftyone.yml").read_text(encoding="utf-8"))
    assert f"plugins requirements {manifest['name']}" in README
