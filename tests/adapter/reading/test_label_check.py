"""Whether labels can be scored."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.reading import label_check
from fiftyone_dfaulo.adapter.reading.label_check import labels_problem


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["a", None, "b"], ""),
        ([None, None], "none of the 2 samples has a label"),
        (["a", "a", None], "all 2 labels in 'ground_truth' are 'a'"),
    ],
)
def test_labels_need_two_classes(
    make_dataset: Any, labels: list[str | None], problem: str
) -> None:
    said = labels_problem(make_dataset(labels), "ground_truth")
    assert said.startswith(problem)
    assert bool(said) == bool(problem)


def test_several_labels_a_sample_have_to_differ(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "a"])
    dataset.set_values(
        "kinds",
        [fo.Classifications(classifications=[fo.Classification(label="x")])] * 2,
    )
    said = labels_problem(dataset, "kinds")
    assert said.startswith("all 2 samples have the same")


def test_labels_that_differ_are_not_all_read(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    monkeypatch.setattr(label_check, "read_labels", lambda *args: read.append(args))
    assert labels_problem(make_dataset(["a", "b", "a"]), "ground_truth") == ""
    assert read == []
