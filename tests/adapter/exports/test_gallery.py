"""The gallery is saved whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo import (
    InputError,
    RunError,
    compute_suspiciousness,
    save_gallery,
    suspicious_view,
)
from fiftyone_dfaulo.engine.images import contact_sheet
from tests.objects import paste_digits


@pytest.fixture
def scored(clusters: Any) -> Any:
    compute_suspiciousness(clusters, embeddings="emb", progress=False)
    return clusters


def test_the_most_suspicious_are_shown_with_label_suggestion_and_score(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    draw = contact_sheet.draw_sheet

    def watch(title: str, tiles: Any) -> Any:
        drawn.append((title, tiles))
        return draw(title, tiles)

    monkeypatch.setattr(contact_sheet, "draw_sheet", watch)
    path = save_gallery(scored, path=tmp_path / "top.png", top=12)
    ((title, tiles),) = drawn
    assert "run dfaulo: the 12 most suspicious" in title
    view = suspicious_view(scored, limit=12)
    for tile, sample in zip(tiles, view, strict=True):
        assert tile.source == sample.filepath
        assert tile.lines == (
            sample.ground_truth.label,
            sample.dfaulo_suggestion.label,
            f"{sample.dfaulo_suspiciousness:.3f}",
        )
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 10 * contact_sheet.SIDE
    assert [p.name for p in tmp_path.glob("*.png")] == ["top.png"]


def test_fifty_are_shown_unless_there_are_fewer(scored: Any, tmp_path: Path) -> None:
    def height(samples: Any, **kwargs: Any) -> int:
        path = save_gallery(
            samples, "dfaulo", tmp_path / "g.png", overwrite=True, **kwargs
        )
        with Image.open(path) as picture:
            return picture.height

    rows = [height(scored, top=10 * n) for n in (4, 5, 6)]
    assert height(scored) == rows[1]
    assert height(scored.limit(31)) == rows[0]
    assert np.diff(rows).tolist() == [rows[1] - rows[0]] * 2


def test_an_image_that_has_gone_does_not_spoil_the_picture(
    scored: Any, tmp_path: Path
) -> None:
    Path(suspicious_view(scored).first().filepath).unlink()
    assert save_gallery(scored, path=str(tmp_path / "g.PNG"), top=3).is_file()


def test_labels_that_have_gone_are_named(scored: Any, tmp_path: Path) -> None:
    path = tmp_path / "g.png"
    with pytest.raises(InputError, match="'ground_truth' .* is left out of this view"):
        save_gallery(scored.exclude_fields("ground_truth"), path=path)
    scored.rename_sample_field("ground_truth", "other")
    with pytest.raises(RunError, match="label field 'ground_truth' .* was deleted or"):
        save_gallery(scored, path=path)
    assert not path.exists()


def test_objects_are_cut_out_of_their_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = paste_digits(tmp_path / "canvases", 60)
    labels = objects.values("boxes.detections.label", unwind=True)
    classes = sorted(set(labels))
    noise = np.random.default_rng(51).normal(size=(len(labels), len(classes)))
    rows = noise + 4 * np.eye(len(classes))[[classes.index(one) for one in labels]]
    compute_suspiciousness(objects, "boxes", embeddings=rows, progress=False)
    drawn: list[Any] = []
    draw = contact_sheet.draw_sheet

    def watch(title: str, tiles: Any) -> Any:
        drawn.extend(tiles)
        return draw(title, tiles)

    monkeypatch.setattr(contact_sheet, "draw_sheet", watch)
    assert save_gallery(objects, path=tmp_path / "top.png", top=5).is_file()
    view = suspicious_view(objects.to_patches("boxes"), limit=5)
    assert [(tile.source.path, list(tile.source.box)) for tile in drawn] == [
        (patch.filepath, patch.boxes.bounding_box) for patch in view
    ]
    assert [tile.lines[0] for tile in drawn] == view.values("boxes.label")
    objects.delete()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"path": "g.jpg"}, "does not end in .png"),
    ({"path": "no/such/folder/g.png"}, "no/such/folder does not exist"),
    ({"path": 5}, "path=5: expected a path"),
    ({"top": 0}, "top=0 is not a whole number from 1 to 1000"),
    ({"top": 1.5}, "top=1.5"),
    ({"top": True}, "top=True"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD)
def test_what_cannot_be_used_is_refused(
    scored: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        save_gallery(scored, **arguments)
    assert [p for p in tmp_path.iterdir() if p.is_file()] == []


def test_without_scores_there_is_nothing_to_show(scored: Any, tmp_path: Path) -> None:
    unscored = scored.match({"dfaulo_suspiciousness": None})
    with pytest.raises(RunError, match="none of these samples has a score"):
        save_gallery(unscored, path=tmp_path / "g.png")
    with pytest.raises(RunError, match="has no brain run 'other'"):
        save_gallery(scored, "other", tmp_path / "g.png")


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "g.png"
    target.write_text("old")

    def fail(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match="cannot be written: disk full"):
        save_gallery(scored, path=target, top=2, overwrite=True)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["g.png"]
    assert target.read_text() == "old"
