"""The command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo import record_verdicts, suspicious_view
from fiftyone_dfaulo.cli import doctor, layouts
from fiftyone_dfaulo.cli.folder import read
from fiftyone_dfaulo.cli.main import main
from fiftyone_dfaulo.errors import InputError

pytestmark = pytest.mark.usefixtures("nobody_else")

NAME = "pets-by-folder"


def paint(path: Path, tone: int) -> None:
    """Writes an image whose tone shows its class: dark cats, light dogs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(tone).integers(0, 40, (16, 16), dtype=np.uint8)
    Image.fromarray(noise + np.uint8(tone)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two class folders of 12 images, and files that are none."""
    folder = tmp_path / "pets"
    for name, tone in (("cat", 20), ("dog", 180)):
        for number in range(12):
            paint(folder / name / f"{number}.png", tone + number)
        (folder / name / "Thumbs.db").write_bytes(b"\0")
    (folder / "dog" / "notes.txt").write_text("bought in May", encoding="utf-8")
    (folder / "README.txt").write_text("pets", encoding="utf-8")
    return folder


def test_kept_work_is_listed_and_cleared(
    make_dataset: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*words: str) -> str:
        assert main(["cache", *words]) == 0
        return capsys.readouterr().out

    monkeypatch.setenv("DFAULO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("DFAULO_CACHE_GB", raising=False)
    dataset = make_dataset([*"ab" * 8])
    assert main(["find", dataset.name, "--epochs", "1"]) == 0
    capsys.readouterr()
    line = f"{dataset.name}  dfaulo  0.00"
    assert line in said()
    assert line in said(dataset.name, "--brain-key", "dfaulo")
    assert line not in said("another")
    assert said("--clear", "another") == "nothing of it is kept\n"
    assert line in said()
    assert said("--clear", dataset.name).endswith(" GB freed\n")
    assert line not in said()
    assert said("--clear") == "nothing of it is kept\n"
    assert main(["cache", "--clear", "--brain-key", "dfaulo"]) == 2


@pytest.fixture
def scored(make_dataset: Callable[..., Any]) -> Any:
    """A persistent dataset with embeddings, of which two labels are wrong."""
    dataset = make_dataset([*"ab" * 20])
    truth = np.arange(40) % 2
    truth[[3, 8]] = 1 - truth[[3, 8]]
    noise = np.random.default_rng(51).normal(size=(40, 4))
    dataset.set_values("vectors", [[*row] for row in noise + 5 * truth[:, None]])
    dataset.name, dataset.persistent = "cli-letters", True
    return dataset


def test_a_dataset_is_scored_reviewed_and_exported(
    scored: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    # once as people start it, in a process of its own; all else is as it is here
    words = ["find", "cli-letters", "--embeddings", "vectors", "--top", "2"]
    command = [sys.executable, "-m", "fiftyone_dfaulo", *words]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "40 samples scored" in found.stdout
    first, second = found.stdout.split("most suspicious:\n")[1].splitlines()[:2]
    assert {Path(line.split()[-1]).name for line in (first, second)} == {
        "0003.png",
        "0008.png",
    }
    assert " b looks like a" in first + second
    scored.reload()
    faulty = suspicious_view(scored, limit=2).values("id")
    record_verdicts(scored, faulty=faulty)
    assert said("review-status", "cli-letters").startswith("2 found of about ")
    figures = json.loads(said("review-status", "cli-letters", "--json"))
    assert (figures["found"], figures["scored"]) == (2, 40)
    assert said("export", "cli-letters", "out.csv") == "2 rows written to out.csv\n"
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == faulty
    assert main(["export", "cli-letters", "out.csv"]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["find", "cli-letters", "--embeddings", "vectors"]) == 2
    assert "verdict" in capsys.readouterr().err
    words = ["find", "cli-letters", "--overwrite", "--cluster", "127.0.0.1:1"]
    assert main(words) == 2
    assert "cluster='127.0.0.1:1'" in capsys.readouterr().err


def test_a_folder_becomes_a_dataset_and_a_picture(
    pets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assert main(["folder", str(pets), "--name", NAME, "--epochs", "1"]) == 0
        printed = capsys.readouterr()
        assert "24 samples scored" in printed.out
        assert printed.err.count("no image") == 3
        assert "Thumbs.db: no image" in printed.err
        assert (tmp_path / "gallery.png").is_file()
        dataset = fo.load_dataset(NAME)
        assert dataset.persistent
        assert dataset.count_values("ground_truth.label") == {"cat": 12, "dog": 12}
        assert dataset.list_brain_runs() == ["dfaulo"]
    finally:
        if fo.dataset_exists(NAME):
            fo.delete_dataset(NAME)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["find", "cli-leters"], "no dataset 'cli-leters'; did you mean 'cli-letters'"),
        (["find", "cli-letters", "--label-field", "x"], "'x'"),
        (["review-status", "cli-letters"], "no brain run 'dfaulo'"),
        (["export", "cli-letters", "out.txt"], ".csv"),
        (["folder", "no/such"], "no folder 'no/such'"),
        (["folder", "."], "none of the layouts"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_status(
    scored: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("fiftyone-dfaulo: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["find"], ["folder"], ["export"], ["review-status"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert f"  fiftyone-dfaulo {' '.join(words)}" in shown.split("examples:")[1]


def boxes_of(folder: Path, layout: str) -> dict[str, list[tuple[str, list[float]]]]:
    """What is read of a folder: file to classes and boxes."""
    dataset, left_out = read(folder, layout, f"layout-{layout}")
    try:
        assert {Path(path).name for path in left_out} <= {"Thumbs.db"}
        return {
            Path(sample.filepath).name: [
                (one.label, [round(value, 3) for value in one.bounding_box])
                for one in sample.ground_truth.detections
            ]
            for sample in dataset.exists("ground_truth")
        }
    finally:
        dataset.delete()


BOX = ("cat", [0.25, 0.5, 0.25, 0.25])


def test_yolo_is_read(tmp_path: Path) -> None:
    for split in ("train", "val"):
        paint(tmp_path / "images" / split / f"{split}.png", 20)
        (tmp_path / "labels" / split).mkdir(parents=True)
        row = tmp_path / "labels" / split / f"{split}.txt"
        row.write_text("0 0.375 0.625 0.25 0.25\n", encoding="utf-8")
    (tmp_path / "images" / "train" / "Thumbs.db").write_bytes(b"\0")
    text = "train: images/train\nval: images/val\nnames: [cat]\n"
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    assert layouts.detect(tmp_path) == "yolo"
    assert boxes_of(tmp_path, "yolo") == {"train.png": [BOX], "val.png": [BOX]}


def test_coco_is_read(tmp_path: Path) -> None:
    paint(tmp_path / "val2017" / "a.png", 20)
    (tmp_path / "val2017" / "Thumbs.db").write_bytes(b"\0")
    said = {
        "images": [{"id": 1, "file_name": "a.png", "width": 16, "height": 16}],
        "categories": [{"id": 7, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [4, 8, 4, 4]}
        ],
    }
    file = tmp_path / "annotations" / "instances_val2017.json"
    file.parent.mkdir()
    file.write_text(json.dumps(said), encoding="utf-8")
    assert layouts.detect(tmp_path) == "coco"
    assert boxes_of(tmp_path, "coco") == {"a.png": [BOX]}


def test_voc_is_read(tmp_path: Path) -> None:
    paint(tmp_path / "JPEGImages" / "a.png", 20)
    (tmp_path / "JPEGImages" / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename>"
        "<size><width>16</width><height>16</height><depth>1</depth></size>"
        "<object><name>cat</name><bndbox><xmin>4</xmin><ymin>8</ymin>"
        "<xmax>8</xmax><ymax>12</ymax></bndbox></object></annotation>",
        encoding="utf-8",
    )
    assert layouts.detect(tmp_path) == "voc"
    assert boxes_of(tmp_path, "voc") == {"a.png": [BOX]}


def test_splits_of_class_folders_are_tags(pets: Path) -> None:
    (pets.parent / "split").mkdir()
    pets.rename(pets.parent / "split" / "train")
    dataset, _ = read(pets.parent / "split", "folders", "layout-split")
    try:
        assert dataset.count_sample_tags() == {"train": 24}
        assert dataset.distinct("ground_truth.label") == ["cat", "dog"]
    finally:
        dataset.delete()


def test_a_folder_without_labelled_images_leaves_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("none", encoding="utf-8")
    with pytest.raises(InputError, match="no image with a label"):
        read(tmp_path, "folders", "layout-none")
    assert not fo.dataset_exists("layout-none")


def test_the_doctor_finds_all_that_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 1  # the plugin of the tests is not registered
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("missing")] == [
        "missing plugin: @dfaulo/dfaulo is not registered; run `fiftyone-dfaulo "
        "register`"
    ]
    for name in ("Python", "fiftyone", "torch", "torchvision", "database"):
        assert any(line.startswith(f"ok      {name}: ") for line in lines), name
    assert lines[-1] == "1 missing"


def test_the_doctor_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=9"
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", nobody)
    (finding,) = doctor.database()
    assert finding.state == doctor.BAD
    assert "install MongoDB 6.0 or later" in finding.advice
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    missing = [one for one in doctor.packages() if one.state == doctor.BAD]
    assert [one.name for one in missing] == ["fiftyone", "torch", "torchvision"]
    assert "0.7 GB" in missing[1].advice
