"""The closer look: what it sees, and what it cannot have learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.elsewhere import OVERLAP
from fiftyone_dfaulo.engine.boxes.overlaps import (
    Boxes,
    find_pairs,
    intersection_over_union,
)
from fiftyone_dfaulo.engine.boxes.probes import CloserLook
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.closeup import training
from fiftyone_dfaulo.engine.closeup.training import look_closer
from fiftyone_dfaulo.errors import Cancelled
from tests.shapes import draw_shapes

Case = tuple[np.ndarray, Boxes]


@pytest.fixture(scope="module")
def shapes() -> Case:
    pixels, objects = draw_shapes()
    return pixels, Boxes(objects.images, objects.boxes)


@pytest.fixture
def few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PASSES", 256)


@pytest.fixture(scope="module")
def looked(shapes: Case) -> CloserLook:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PASSES", 8_000)
        return look_closer(*shapes, settings=Settings())


def every(look: CloserLook) -> list[np.ndarray]:
    return [*look._replace(empty=look.empty.boxes)]


def test_an_object_is_seen_in_boxes_and_not_beside_them(
    shapes: Case, looked: CloserLook
) -> None:
    beside = np.ones(len(looked.empty_there), bool)
    beside[find_pairs(looked.empty, shapes[1]).first] = False

    assert beside.sum() > 100
    assert np.quantile(looked.there, 0.1) > np.quantile(looked.empty_there[beside], 0.9)


def test_edges_are_seen_from_boxes_that_were_moved_away(
    shapes: Case, looked: CloserLook
) -> None:
    given = shapes[1].boxes
    moved = intersection_over_union(looked.displaced, given)
    back = intersection_over_union(looked.displaced_boxes, given)

    assert moved.min() > OVERLAP[0] - 1e-6
    assert moved.max() < OVERLAP[1] + 1e-6
    assert np.median(back) > 0.75
    assert np.median(intersection_over_union(looked.boxes, given)) > 0.85
    assert (looked.boxes[:, 2:] > 0).all()


@pytest.mark.usefixtures("few_passes")
def test_an_images_own_boxes_change_nothing_of_what_is_seen_in_it(shapes: Case) -> None:
    """The first image's boxes are other ones, elsewhere, of the same number."""
    pixels, given = shapes
    mine = given.images == 0
    boxes = given.boxes.copy()
    boxes[mine, :2] = 1 - boxes[mine, :2] - boxes[mine, 2:]
    first = look_closer(pixels, given, settings=Settings())
    other = look_closer(pixels, given._replace(boxes=boxes), settings=Settings())
    fold = np.random.default_rng(51).permutation(len(pixels)) % training.FOLDS
    same = (fold[given.images] == fold[0]) & ~mine

    assert same.sum() > 5
    assert np.array_equal(first.there[same], other.there[same])
    assert not np.array_equal(first.there[~same], other.there[~same])


@pytest.mark.usefixtures("few_passes")
class TestRuns:
    def test_the_same_seed_gives_the_same_bits_and_another_others(
        self, shapes: Case
    ) -> None:
        first, second, other = (
            look_closer(*shapes, settings=Settings(seed=seed)) for seed in (1, 1, 2)
        )

        assert all(map(np.array_equal, every(first), every(second)))
        assert not np.array_equal(first.there, other.there)

    def test_torchs_own_randomness_is_left_alone(self, shapes: Case) -> None:
        torch.manual_seed(7)
        before = torch.get_rng_state()
        look_closer(*shapes, settings=Settings())

        assert torch.equal(torch.get_rng_state(), before)

    def test_progress_ends_at_one_and_what_it_raises_stops_it(
        self, shapes: Case
    ) -> None:
        done = [0.0]
        look_closer(*shapes, settings=Settings(), report=done.append)

        def stop(fraction: float) -> None:
            done.append(fraction)
            raise Cancelled

        assert done == sorted(done)
        assert done[-1] == 1
        with pytest.raises(Cancelled):
            look_closer(*shapes, settings=Settings(), report=stop)
        assert done[-1] < 0.2

    def test_one_image_of_three_has_all_boxes(self, shapes: Case) -> None:
        """The others have nothing to learn from: nothing is told of these."""
        boxes = np.array([[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.3, 0.3]])
        found = look_closer(
            shapes[0][:3], Boxes(np.zeros(2, int), boxes), settings=Settings()
        )

        assert found.there.shape == (2,)
        assert all(np.isfinite(part).all() for part in every(found))

    def test_more_boxes_than_one_network_learns_from(
        self, shapes: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "MOST", 10)
        found = look_closer(*shapes, settings=Settings())

        assert len(found.there) == len(shapes[1].images)

    def test_what_is_kept_is_taken_with_the_same_bits(
        self, shapes: Case, tmp_path: Path
    ) -> None:
        def look(report: training.StageReport) -> CloserLook:
            work = Work(Keeper(Folder(tmp_path), RunOf("5f", "shapes", "dfaulo")))
            return look_closer(*shapes, settings=Settings(), work=work, report=report)

        def stop(fraction: float) -> None:
            if fraction > 0.5:
                raise Cancelled

        usual = look_closer(*shapes, settings=Settings())
        with pytest.raises(Cancelled):
            look(stop)
        again: list[float] = []
        found = look(again.append)

        assert all(map(np.array_equal, every(found), every(usual)))
        assert again[0] == pytest.approx(1 / 3)  # the first fold is there
