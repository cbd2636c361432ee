"""README and docs hold: their Python runs, their commands are run, their facts true."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import yaml
from readability import LEAST, prose, reading_ease, words

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.adapter.storage.schema import field_names, review_names
from fiftyone_dfaulo.engine.detector import training
from fiftyone_dfaulo.engine.method import multi_label
from fiftyone_dfaulo.engine.method.reasons import REASONS
from tests.objects import paste_digits
from tests.tagged import build_pairs, draw_pairs
from tests.videos import build_videos

pytestmark = pytest.mark.usefixtures("nobody_else")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
}
README = PAGES["README.md"]

COMMANDS = {
    "pip install .": "tests/test_install.py::installed",
    "fiftyone-dfaulo register": "tests/test_install.py::installed",
    "fiftyone-dfaulo unregister": (
        "tests/test_install.py::test_unregister_leaves_no_empty_folders"
    ),
    "fiftyone-dfaulo folder photos": (
        "tests/test_cli.py::test_a_folder_becomes_a_dataset_and_a_picture"
    ),
    "fiftyone-dfaulo find my-dataset --label-field ground_truth": (
        "tests/test_cli.py::test_a_dataset_is_scored_reviewed_and_exported"
    ),
    "fiftyone-dfaulo review-status my-dataset --json": (
        "tests/test_cli.py::test_a_dataset_is_scored_reviewed_and_exported"
    ),
    "fiftyone-dfaulo export my-dataset review.csv": (
        "tests/test_cli.py::test_a_dataset_is_scored_reviewed_and_exported"
    ),
    "fiftyone-dfaulo doctor": (
        "tests/test_cli.py::test_the_doctor_finds_all_that_is_there"
    ),
    "fiftyone-dfaulo cache": (
        "tests/test_cli.py::test_kept_work_is_listed_and_cleared"
    ),
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
"""Every command of these pages, and what runs it."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


def my_dataset(folder: Path, make_dataset: Callable[..., Any]) -> Any:
    """60 images of two classes; every tenth label is wrong."""
    truth, rng = np.arange(60) % 2, np.random.default_rng(0)
    dataset = make_dataset(["ab"[true] for true in truth])
    given = ["ab"[(true + (n % 10 == 0)) % 2] for n, true in enumerate(truth)]
    dataset.set_values("ground_truth.label", given)
    vectors = rng.normal(size=(60, 4)) + 4 * truth[:, None]
    dataset.set_values("my_embeddings", list(vectors))
    logits = np.column_stack([-vectors[:, 0], vectors[:, 0] - 2])
    predictions = [
        fo.Classification(label="ab"[row.argmax()], logits=row) for row in logits
    ]
    dataset.set_values("my_predictions", predictions)
    return dataset


def my_detections(folder: Path, _: object) -> Any:
    """Digits on canvases, and a detector that sees exactly the given boxes."""
    detections = paste_digits(folder / "canvases", 80)
    detections.clone_sample_field("boxes", "predictions")
    detections.set_values(
        "predictions.detections.confidence",
        [[0.9] * len(some) for some in detections.values("boxes.detections")],
    )
    return detections


BUILDERS: dict[str, Callable[[Path, Any], Any]] = {
    "my-dataset": my_dataset,
    "my-detections": my_detections,
    "my-multilabel": lambda folder, _: build_pairs(folder / "p", draw_pairs(80, 8)),
    "my-videos": lambda folder, _: build_videos(folder),
}
"""What the pages load: each page gets datasets of its own."""


@pytest.fixture
def loaded(
    make_dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """The datasets that a page has loaded, by name; made when it asks for them."""
    made: dict[str, Any] = {}
    load = fo.load_dataset

    def load_dataset(name: str) -> Any:
        if name in BUILDERS and name not in made:
            made[name] = BUILDERS[name](tmp_path, make_dataset)
        return made[name] if name in made else load(name)

    monkeypatch.setattr(fo, "load_dataset", load_dataset)
    monkeypatch.setattr(training, "PASSES", 8)  # a detector that has hardly learned
    monkeypatch.setattr(training, "LEAST", 0.0)
    monkeypatch.chdir(tmp_path)
    yield made
    for dataset in made.values():
        if not dataset.deleted:
            dataset.delete()
    if fo.dataset_exists("with faults"):
        fo.delete_dataset("with faults")


def check_readme(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    dataset = loaded["my-dataset"]
    verdicts = {"faulty": 5, "correct": 45, None: 10}
    assert dataset.count_values("dfaulo_verdict") == verdicts
    corrected = dataset.exists("dfaulo_original_label")
    assert len(corrected) == 5
    assert names["quality"]["samples"] == 60


def check_python(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    dataset = loaded["my-dataset"]
    verdicts = dataset.count_values("second_verdict")
    assert verdicts == {"faulty": 5, "correct": 45, None: 10}
    assert dataset.get_brain_info("second").config.learned_from == "dfaulo"
    assert dataset.load_saved_view("to relabel").count() == 5
    assert Path("gallery.png").is_file()
    assert Path("review.csv").read_text().count("\n") == 51
    assert not dataset.exists("dfaulo_original_label")
    assert not names["copy"].has_sample_field("injected_fault")


def check_boxes(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    counted = "boxes.detections.objects_verdict"
    verdicts = loaded["my-detections"].count_values(counted)
    assert verdicts == {"faulty": 5, "correct": 45, None: 30}


def check_frames(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    verdicts = loaded["my-videos"].count_values("frames.video_verdict")
    assert verdicts == {"faulty": 3, "correct": 47, None: 10}


def check_tags(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    assert loaded["my-multilabel"].list_brain_runs() == ["several"]
    assert names["first"].several_suggestion is not None


def check_faults_left(names: dict[str, Any], loaded: dict[str, Any]) -> None:
    assert names["status"].found == 5
    assert len(names["drawn"]) == 20


CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "README.md": check_readme,
    "docs/faults_left.md": check_faults_left,
    "docs/guides/boxes.md": check_boxes,
    "docs/guides/frames.md": check_frames,
    "docs/guides/tags.md": check_tags,
    "docs/python.md": check_python,
}
"""What is so once the Python of a page has run: its names, and what it has loaded."""


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: str, loaded: dict[str, Any]
) -> None:
    names: dict[str, Any] = {}
    for snippet in blocks(page, "python"):
        exec(compile(snippet, page, "exec"), names)
    assert loaded or page == "docs/api.md"
    if page in CHECKS:
        CHECKS[page](names, loaded)


def test_every_command_is_run_by_a_test() -> None:
    commands = {
        line
        for page in PAGES
        for block in blocks(page, "shell")
        for line in block.splitlines()
    }
    assert commands == set(COMMANDS)
    for place in COMMANDS.values():
        file, name = place.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_fields_and_reasons_are_those_of_the_code() -> None:
    page = PAGES["docs/fields.md"]
    assert re.findall(r"^\| `(dfaulo_\w+)`", page, re.MULTILINE) == [
        *field_names("dfaulo"),
        *review_names("dfaulo"),
    ]
    rows = re.findall(r"^\| `([a-z ]+)`", page, re.MULTILINE)
    assert set(rows) == {*REASONS, *multi_label.REASONS, "counted twice"}


def messages() -> list[str]:
    """The texts in the package; what is filled in is left out."""
    found = []
    for path in (ROOT / "fiftyone_dfaulo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                constants = (v for v in node.values if isinstance(v, ast.Constant))
                found.append("\0".join(str(value.value) for value in constants))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_troubleshooting_quotes_messages_as_they_are() -> None:
    quoted = re.findall(r"^> `(.+)`$", PAGES["docs/troubleshooting.md"], re.MULTILINE)
    assert len(quoted) > 15
    known = messages()
    for message in quoted:
        pieces = [re.escape(piece.strip()) for piece in message.split("…")]
        pattern = re.compile(".*".join(pieces), re.DOTALL)
        assert any(pattern.search(text) for text in known), message


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_linked_files_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        assert (ROOT / link).is_file(), link


def test_the_python_version_is_that_of_the_package() -> None:
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    (least,) = re.findall(r'python_requires=">=([\d.]+)"', setup)
    assert f"Python {least} or later" in README
    assert f"Python {least} or later" in PAGES["docs/install.md"]


def test_the_plugin_is_named_as_in_its_manifest() -> None:
    manifest = yaml.safe_load((ROOT / "fiftyone.yml").read_text(encoding="utf-8"))
    assert f"plugins requirements {manifest['name']}" in PAGES["docs/install.md"]


def test_the_figures_of_the_readme_are_those_of_the_benchmark() -> None:
    figures = re.findall(r"(?<=\| )\**([.\d]+)\**(?= \|)", README)
    assert len(figures) > 40
    for figure in figures:
        assert figure in PAGES["docs/benchmark.md"], figure


def test_the_readme_is_short() -> None:
    assert README.count("\n") <= 120
    assert len(README.split()) <= 800


@pytest.mark.parametrize("page", [page for page in PAGES if words(prose(PAGES[page]))])
def test_pages_are_easy_to_read(page: str) -> None:
    assert reading_ease(PAGES[page]) >= LEAST


def test_reading_ease_is_flesch_s() -> None:
    text = "# Not this\n\nThe cat sat on the mat. Here `x` is a wonderful example.\n"
    assert len(words(prose(text))) == 12  # in 2 sentences; 17 syllables
    assert reading_ease(text) == pytest.approx(206.835 - 1.015 * 6 - 84.6 * 17 / 12)


@pytest.mark.parametrize("name", ["tour", "relabel"])
def test_the_notebook_runs_and_corrects(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # in this process, as a kernel takes longer to start than the cells to run
    notebook = json.loads((DOCS / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    (before, after) = re.findall(
        r"(\d+) .*before, (\d+) after", capsys.readouterr().out
    )[0]
    assert int(before) >= 20
    assert int(after) <= int(before) / 4
    assert names["dataset"].deleted


FUNCTIONS = [name for name in dfaulo.__all__ if name[0].islower() and name[0] != "_"]


@pytest.fixture
def scored(loaded: dict[str, Any]) -> Any:
    """30 cats and 30 dogs after a run; six cats are labelled as dogs."""
    dataset = fo.load_dataset("my-dataset")
    names = {"a": "cat", "b": "dog"}
    given = [names[label] for label in dataset.values("ground_truth.label")]
    dataset.set_values("ground_truth.label", given)
    dataset.set_values("truth", ["cat", "dog"] * 30)
    dfaulo.compute_suspiciousness(dataset, embeddings="my_embeddings")
    return dataset


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_shows_what_it_gives(name: str, scored: Any) -> None:
    text = inspect.getdoc(getattr(dfaulo, name)) or ""
    given = {"dfaulo": dfaulo, "fo": fo, "dataset": scored}
    example = doctest.DocTestParser().get_doctest(text, given, name, None, 0)
    assert len(example.examples) >= 1
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=shown.append)
    assert not shown, "".join(shown)
