"""The detector that is trained here: what it finds, and what it cannot have learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from bench.boxes import Objects

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.detector import training
from fiftyone_dfaulo.engine.detector.moves import draw_moves, move
from fiftyone_dfaulo.engine.detector.network import seeded_detector
from fiftyone_dfaulo.engine.detector.training import (
    Detected,
    choose_side,
    detect_out_of_sample,
)
from fiftyone_dfaulo.errors import Cancelled
from tests.shapes import draw_shapes

Case = tuple[np.ndarray, Objects]


@pytest.fixture
def few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PASSES", 16)


@pytest.fixture(scope="module")
def shapes() -> Case:
    return draw_shapes()


@pytest.fixture(scope="module")
def blank() -> Boxes:
    """Boxes where nothing is: in the quarters of images that have no shape."""
    _, objects = draw_shapes()
    quarters = (objects.boxes[:, :2] + objects.boxes[:, 2:] / 2 > 0.5) @ [1, 2]
    rows = []
    for image in range(0, 48, 4):
        free = np.setdiff1d(np.arange(4), quarters[objects.images == image])[0]
        corner = np.array([free % 2, free // 2]) / 2 + 0.12
        rows.append((image, [*corner.tolist(), 0.25, 0.25]))
    return Boxes(*(np.array(column) for column in zip(*rows)))


@pytest.fixture(scope="module")
def found(shapes: Case, blank: Boxes) -> Detected:
    """What is detected if boxes of nothing are given as well."""
    pixels, objects = shapes
    images = np.append(objects.images, blank.images)
    boxes = np.concatenate([objects.boxes, blank.boxes])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PASSES", 300)
        return detect_out_of_sample(pixels, Boxes(images, boxes), settings=Settings())


def best(found: Detected, boxes: Boxes, least: float) -> np.ndarray:
    """The highest confidence of a prediction that overlaps each box so much."""
    sure = np.zeros(len(boxes.images))
    pairs = find_pairs(boxes, found.boxes)
    some = pairs.take(np.flatnonzero(pairs.iou >= least))
    np.maximum.at(sure, some.first, found.confidence[some.second])
    return sure


def test_objects_of_images_that_were_not_trained_on_are_found(
    shapes: Case, found: Detected
) -> None:
    sure = best(found, Boxes(shapes[1].images, shapes[1].boxes), 0.6)

    assert (sure > 0.3).mean() > 0.9
    assert found.confidence.min() >= training.LEAST
    assert len(found.confidence) <= training.SHARE * (len(sure) + 12)
    assert found.confidence.max() <= 1
    assert (found.boxes.boxes[:, 2:] > 0).all()
    assert (found.boxes.boxes[:, :2] + found.boxes.boxes[:, 2:] <= 1 + 1e-9).all()


def test_no_image_vouches_for_its_own_boxes(
    shapes: Case, found: Detected, blank: Boxes
) -> None:
    """A box of nothing is in nobody's lesson but the others', who have none there."""
    seen = best(found, Boxes(shapes[1].images, shapes[1].boxes), 0.3)

    assert best(found, blank, 0.3).max() < np.quantile(seen, 0.1)


@pytest.mark.usefixtures("few_passes")
def test_an_images_own_boxes_change_nothing_of_what_is_seen_in_it(
    shapes: Case, blank: Boxes
) -> None:
    pixels, objects = shapes
    others = objects.images > 0
    without = Boxes(objects.images[others], objects.boxes[others])
    with_blank = Boxes(
        np.append(without.images, blank.images[:1]),
        np.concatenate([without.boxes, blank.boxes[:1]]),
    )
    assert blank.images[0] == 0

    first, second = (
        detect_out_of_sample(pixels, given, settings=Settings())
        for given in (without, with_blank)
    )
    mine, yours = (one.confidence[one.boxes.images == 0] for one in (first, second))

    assert np.array_equal(mine, yours)
    assert not np.array_equal(first.confidence, second.confidence)


@pytest.mark.usefixtures("few_passes")
class TestRuns:
    def test_the_same_seed_gives_the_same_bits_and_another_others(
        self, shapes: Case
    ) -> None:
        pixels, objects = shapes
        given = Boxes(objects.images, objects.boxes)
        first, second, other = (
            detect_out_of_sample(pixels, given, settings=Settings(seed=seed))
            for seed in (1, 1, 2)
        )

        assert np.array_equal(first.confidence, second.confidence)
        assert np.array_equal(first.boxes.boxes, second.boxes.boxes)
        assert not np.array_equal(first.confidence, other.confidence)

    def test_torchs_own_randomness_is_left_alone(self, shapes: Case) -> None:
        pixels, objects = shapes
        torch.manual_seed(7)
        before = torch.get_rng_state()
        detect_out_of_sample(
            pixels[:4],
            Boxes(objects.images[:2] * 0, objects.boxes[:2]),
            settings=Settings(),
        )

        assert torch.equal(torch.get_rng_state(), before)

    def test_progress_ends_at_one_and_what_it_raises_stops_training(
        self, shapes: Case
    ) -> None:
        pixels, objects = shapes
        given, done = Boxes(objects.images, objects.boxes), [0.0]
        detect_out_of_sample(pixels, given, settings=Settings(), report=done.append)

        def stop(fraction: float) -> None:
            done.append(fraction)
            raise Cancelled

        assert done == sorted(done)
        assert done[-1] == 1
        with pytest.raises(Cancelled):
            detect_out_of_sample(pixels, given, settings=Settings(), report=stop)
        assert done[-1] < 0.1

    def test_images_without_boxes_and_an_image_with_thousands(
        self, shapes: Case
    ) -> None:
        corners = np.random.default_rng(1).random((3_000, 2)) * 0.9
        boxes = np.column_stack([corners, np.full((3_000, 2), 0.05)])
        found = detect_out_of_sample(
            shapes[0][:3], Boxes(np.zeros(3_000, np.int64), boxes), settings=Settings()
        )

        assert set(found.boxes.images.tolist()) <= {0, 1, 2}
        assert len(found.confidence) <= training.SHARE * 3_000


def test_a_mirror_image_shows_the_same_mirrored(shapes: Case) -> None:
    module = seeded_detector(0)
    with torch.no_grad():
        module.head.weight.normal_(0, 0.3)
        module.head.bias.zero_()  # something is seen everywhere
    detector = training._Detector(module, torch.zeros(3), torch.full((3,), 255.0))
    image = shapes[0][:1]
    first, second = (
        detector.look(pixels, np.array([0]), lambda fraction: None)[0]
        for pixels in (image, image[:, :, ::-1].copy())
    )
    mirrored = second[1].copy()
    mirrored[:, 0] = 1 - mirrored[:, 0] - mirrored[:, 2]
    orders = [np.lexsort(some.round(4).T) for some in (first[1], mirrored)]
    assert len(orders[0]) == len(orders[1]) > 5
    np.testing.assert_allclose(first[1][orders[0]], mirrored[orders[1]], atol=1e-4)
    np.testing.assert_allclose(first[2][orders[0]], second[2][orders[1]], atol=1e-4)


def test_images_and_boxes_are_moved_alike() -> None:
    images = torch.zeros(8, 3, 64, 64)
    images[:, :, 20:30, 25:45] = 1
    moves = draw_moves(8, np.random.default_rng(1))
    corners = np.array([[25, 20], [45, 30]]) / 64

    for image, scale, shift in zip(move(images, moves), *moves):
        rows, columns = np.nonzero(image[0].numpy() > 0.5)
        ends = np.sort(corners * scale + shift, 0) * 64
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert found == pytest.approx(ends.ravel(), abs=0.6)
    assert (moves.scale[:, 0] < 0).any()
    assert (moves.scale[:, 0] > 0).any()


@pytest.mark.parametrize(("size", "side"), [(0.9, 64), (0.125, 128), (0.01, 320)])
def test_small_objects_get_larger_images(size: float, side: int) -> None:
    assert choose_side(np.full((10, 4), size)) == side


class Killed(Exception):
    """What ends a training in its midst."""


@pytest.mark.parametrize("moments", [(0.1, 0.3), (0.45,), (0.31, 0.62, 0.95)])
def test_a_detector_goes_on_where_it_was_with_the_same_bits(
    shapes: Case, few_passes: None, tmp_path: Path, moments: tuple[float, ...]
) -> None:
    pixels, objects = shapes
    given = Boxes(objects.images, objects.boxes)
    steps: list[float] = []
    usual = detect_out_of_sample(
        pixels, given, settings=Settings(), report=steps.append
    )
    every = len(steps)

    def detect(until: float = 2.0, seed: int = 51) -> tuple[Detected, tuple[str, ...]]:
        work = Work(Keeper(Folder(tmp_path), RunOf("5f", "shapes", "dfaulo")))

        def report(fraction: float) -> None:
            steps.append(fraction)
            if fraction >= until:
                raise Killed

        settings = Settings(seed=seed)
        found = detect_out_of_sample(
            pixels, given, settings=settings, work=work, report=report
        )
        return found, work.notes

    for moment in moments:
        with pytest.raises(Killed):
            detect(moment)
    steps.clear()
    found, notes = detect()
    assert notes
    folds = int(3 * moments[-1])  # that were done
    assert len(steps) <= folds + every * (3 - folds) / 3
    for one, other in zip(
        (*found.boxes, found.confidence), (*usual.boxes, usual.confidence)
    ):
        assert one.tobytes() == other.tobytes()
    steps.clear()
    assert detect()[1] == ("Detectors trained by earlier runs: 3 of 3.",)
    assert len(steps) == 3
    assert detect(seed=3)[1] == ()
