"""What is left of the items, and of what sources say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.scoring.features import ScoringContext, align
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.labels import Labels
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.adapter.targets.tags.labels import MultiLabels
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.progress import Stages
from fiftyone_dfaulo.errors import InputError

CLASSES = ClassLabels(["a", "b", "c"], np.array([0, 2, 1, 2]))
TAGS = MultiLabels.of([["a"], ["b", "c"], [], ["c"]])


def context(labels: Labels = CLASSES, samples: Any = None) -> ScoringContext:
    labelled = Labelled(
        ids=["i0", "i1", "i2", "i3"],
        paths=["p0", "p1", "p2", "p3"],
        labels=labels,
        unlabeled=["u"],
    )
    target = SampleTarget("ground_truth")
    return ScoringContext(samples, target, labelled, Settings(), Stages({}))


def test_classes_without_a_readable_sample_are_dropped_and_the_rest_renumbered() -> (
    None
):
    items = context().keep(np.array([0, 1, 3]), {2: "the file is empty"})

    assert items.ids == ["i0", "i1", "i3"]
    assert items.labels.classes == ["a", "c"]
    assert items.labels.numbers.tolist() == [0, 1, 1]
    assert items.unreadable == {"i2": "the file is empty"}
    assert items.unlabeled == ["u"]


def test_fewer_than_two_classes_are_refused_with_the_numbers() -> None:
    missing = {0: "the file is empty", 2: "no such file"}

    with pytest.raises(InputError, match="2 of 4 .* 1 of 3 classes.* i0: the file is"):
        context().keep(np.array([1, 3]), missing)


def test_tags_without_a_readable_sample_are_dropped() -> None:
    items = context(TAGS).keep(np.array([0, 2, 3]), {1: "no such file"})

    assert isinstance(items.labels, MultiLabels)
    assert items.labels.classes == ["a", "c"]
    assert items.labels.given.tolist() == [[True, False], [False, False], [False, True]]


def test_equal_tags_alone_are_refused_with_the_numbers() -> None:
    missing = dict.fromkeys((0, 1, 3), "no such file")

    with pytest.raises(InputError, match="3 of 4 .* no class is left .* i0: no"):
        context(TAGS).keep(np.array([2]), missing)


def of(*index: int, unreadable: dict[int, str], classes: int) -> Features:
    """Features that show whose they are; the logits, of which class as well."""
    rows = np.array(index)
    return Features(
        rows[:, None] * 1.0,
        rows,
        unreadable,
        logits=10.0 * rows[:, None] + np.arange(classes),
        points=rows[:, None] * 2.0,
    )


def test_of_one_source_the_items_that_it_could_read_are_left() -> None:
    only = of(0, 1, 3, unreadable={2: "empty"}, classes=2)

    (features,), items = align(context(), ["it"], [only])

    assert items.ids == ["i0", "i1", "i3"]
    assert features.index.tolist() == [0, 1, 2]
    assert features.embeddings is only.embeddings
    assert features.notes == ()


def test_of_several_sources_each_judges_what_it_could_read() -> None:
    first = of(0, 1, unreadable={2: "no embedding", 3: "no embedding"}, classes=2)
    second = of(0, 3, unreadable={1: "empty", 2: "empty"}, classes=2)

    features, items = align(context(), ["the first", "the second"], [first, second])

    assert items.ids == ["i0", "i1", "i3"]
    assert items.labels.classes == ["a", "c"]
    assert items.unreadable == {"i2": "no embedding"}
    assert [each.index.tolist() for each in features] == [[0, 1], [0, 2]]
    assert [each.notes for each in features] == [
        (
            "the first lacks some samples, which the other sources judge: 1 (the "
            "first: no embedding).",
        ),
        (
            "the second lacks some samples, which the other sources judge: 1 (the "
            "first: empty).",
        ),
    ]


def test_a_source_that_knows_one_class_of_the_others_is_refused() -> None:
    first = of(0, 1, 2, 3, unreadable={}, classes=3)
    second = of(1, 3, unreadable={0: "empty", 2: "empty"}, classes=1)

    with pytest.raises(InputError, match="the second has 2 of the 4 samples"):
        align(context(), ["the first", "the second"], [first, second])
