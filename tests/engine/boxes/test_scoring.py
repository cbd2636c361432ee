"""Faults of boxes by a detector's predictions."""

from __future__ import annotations

import numpy as np
import pytest
from bench.boxes import KINDS, Objects, Predictions
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.reasons import (
    CLASS,
    DOUBLE,
    PLACE,
    REASONS,
    SPURIOUS,
)
from fiftyone_dfaulo.engine.boxes.scoring import BoxScores, score_boxes
from fiftyone_dfaulo.errors import InputError
from tests.boxes import planted

COLUMNS = {"class": CLASS, "misplaced": PLACE, "spurious": SPURIOUS, "doubled": DOUBLE}


def score(given: Objects, found: Predictions) -> BoxScores:
    return score_boxes(
        Boxes(given.images, given.boxes),
        given.labels,
        Boxes(found.images, found.boxes),
        found.labels,
        found.confidence,
    )


@pytest.fixture(scope="module")
def case() -> tuple[Objects, Predictions, np.ndarray, BoxScores]:
    given, found, missing = planted(1500, 5)
    return given, found, missing, score(given, found)


@pytest.mark.parametrize("kind", COLUMNS)
def test_each_kind_is_found_by_its_own_column(kind: str, case: tuple) -> None:
    given, _, _, scores = case
    faults = given.kinds == KINDS.index(kind)
    figures = {
        name: average_precision_score(faults, scores.kinds[:, column])
        for name, column in COLUMNS.items()
    }

    assert max(figures, key=lambda name: figures[name]) == kind
    assert figures[kind] > (0.4 if kind == "doubled" else 0.6)


def test_missing_objects_are_found(case: tuple) -> None:
    _, _, missing, scores = case

    assert average_precision_score(missing, scores.missing) > 0.7


def test_each_kind_is_counted_within_a_third(case: tuple) -> None:
    given, _, missing, scores = case
    planted = [*np.bincount(given.kinds[given.kinds >= 0]), missing.sum()]

    for (kind, count), truth in zip(scores.estimate().items(), planted, strict=True):
        assert count == pytest.approx(truth, rel=1 / 3), kind


def test_faults_are_counted_with_a_detector_that_overlooks_some() -> None:
    given, found, missing = planted(1500, 5, skill=1.0)
    estimate = score(given, found).estimate()
    planted_ones = [*np.bincount(given.kinds[given.kinds >= 0]), missing.sum()]

    # it often sees another class, so that wrong labels are hard to tell from its slips
    for kind, truth in list(zip(REASONS, planted_ones, strict=True))[1:]:
        assert estimate[kind] == pytest.approx(truth, rel=0.2), kind


def test_what_has_no_object_of_its_own_has_no_wrong_class_or_place(case: tuple) -> None:
    given, _, _, scores = case
    none = scores.kinds[:, SPURIOUS] + scores.kinds[:, DOUBLE]
    matched = scores.partner >= 0
    nothing = given.kinds == KINDS.index("spurious")

    assert (none + scores.kinds[:, [CLASS, PLACE]].max(1) <= 1 + 1e-9).all()
    # some are matched by chance, and overlap the prediction by little
    assert (none[nothing & matched] > 0.5).any()
    assert scores.kinds[nothing, PLACE].max() < 0.5


def test_the_suspiciousness_is_no_less_than_any_kind(case: tuple) -> None:
    scores = case[3]

    assert (scores.suspiciousness <= 1).all()
    assert (scores.suspiciousness >= scores.kinds.max(1) - 1e-9).all()
    found = scores.take(np.arange(len(scores.kinds)), scores.gaps, 5)
    assert found.reasons.shape == found.signals.shape
    assert found.reasons.shape[1] == len(REASONS)
    assert not found.reasons[found.suspiciousness < 0.2].any()


def test_the_suggestion_is_the_detectors_class(case: tuple) -> None:
    given, found, _, scores = case
    matched = scores.partner >= 0

    assert (scores.suggestion[matched] == found.labels[scores.partner[matched]]).all()
    assert (scores.suggestion[~matched] == given.labels[~matched]).all()


def test_without_faults_few_are_estimated() -> None:
    from bench.boxes import detect

    from tests.boxes import scattered

    true = scattered(1500, 5)
    scores = score(true, detect(true, np.random.default_rng(51), skill=2.0))

    for kind, count in scores.estimate().items():
        assert count < 0.03 * len(true.labels), kind


def test_labels_of_classes_that_the_detector_lacks_are_not_judged() -> None:
    given, found, _ = planted(600, 3)
    known = found.labels != 2
    some = Predictions(*(part[known] for part in vars(found).values()))
    scores = score(given, some)

    assert (scores.kinds[given.labels == 2, CLASS] == 0).all()
    assert (scores.kinds[given.labels != 2, CLASS] > 0.5).any()
    assert any("Classes that no prediction has: 1." in note for note in scores.notes)


def test_nothing_overlaps() -> None:
    given, found, _ = planted(60)
    apart = Predictions(found.images + 1000, *list(vars(found).values())[1:])

    with pytest.raises(InputError, match="overlaps any of the"):
        score(given, apart)


def test_one_object_and_one_prediction() -> None:
    one = Boxes(np.zeros(1, int), np.array([[0.1, 0.1, 0.2, 0.2]]))
    scores = score_boxes(one, np.zeros(1, int), one, np.zeros(1, int), np.ones(1))

    assert 0 <= scores.suspiciousness[0] < 0.5
    assert scores.partner.tolist() == [0]
