"""A dataset with embeddings, and what tells whether anything on it has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method.reasons import REASONS


def vectors(numbers: np.ndarray, width: int = 6) -> np.ndarray:
    """Embeddings (N, width) that gather around one point for each class number."""
    rng = np.random.default_rng(51)
    centres = 4 * np.eye(width)[: numbers.max() + 1]
    return (centres[numbers] + rng.normal(size=(len(numbers), width))).astype("float32")


@pytest.fixture(autouse=True)
def _alone(nobody_else: None) -> None:
    """Most tests are alone on their dataset."""


@pytest.fixture
def clusters(make_dataset: Any) -> Any:
    """60 samples of classes a, b, c with embeddings; samples 0, 21 and 42 are faults.

    The embeddings are in the field ``emb``; the sample field ``truth`` says what each
    sample is.
    """
    return _clusters(make_dataset)


@pytest.fixture(scope="module")
def shared_clusters(make_shared_dataset: Any) -> Any:
    """As ``clusters``, for tests that change nothing."""
    return _clusters(make_shared_dataset)


def _clusters(make: Any) -> Any:
    truth = np.arange(60) % 3
    given = truth.copy()
    for position in (0, 21, 42):
        given[position] = (truth[position] + 1) % 3
    dataset = make(["abc"[n] for n in given])
    dataset.set_values("emb", list(vectors(truth)))
    dataset.set_values("truth", ["abc"[n] for n in truth])
    return dataset


@pytest.fixture(scope="session")
def make_results() -> Callable[..., DFauLoResults]:
    """Makes results to write, known by heart: scores 0.0, 0.1 ... for the samples.

    Call it with a dataset or view, for those of its samples that have a label, and
    the key. Every suggestion is the next class, the confidence 0.5, and the first
    reason applies to the samples at even positions.
    """

    def make(samples: Any, key: str = "dfaulo", **changes: Any) -> DFauLoResults:
        labelled = read_labels(samples, "ground_truth")
        count = len(labelled.ids)
        reasons = np.zeros((count, len(REASONS)), bool)
        reasons[::2, 0] = True
        values: dict[str, Any] = {
            "ids": labelled.ids,
            "labels": labelled.labels.numbers,
            "classes": labelled.classes,
            "suspiciousness": np.arange(count) / 10,
            "suggestions": (labelled.labels.numbers + 1) % len(labelled.classes),
            "confidence": np.full(count, 0.5, np.float32),
            "reasons": reasons,
            "reason_names": REASONS,
            "signals": np.ones((count, 2), np.float32),
            "signal_names": ("one", "two"),
            "unlabeled": labelled.unlabeled,
            **changes,
        }
        config = DFauLoConfig("ground_truth", Settings().to_dict())
        return SingleLabelResults(samples, config, key, **values)

    return make


@pytest.fixture
def unchanged() -> Callable[[Any], Callable[[], None]]:
    """Call it with a dataset; what it returns asserts that the dataset is the same."""

    def watch(dataset: Any) -> Callable[[], None]:
        before = contents(dataset)

        def check() -> None:
            assert contents(dataset) == before

        return check

    return watch


def contents(dataset: Any) -> dict[str, Any]:
    """Schema, runs, indexes and values of a dataset, as the database has them."""
    dataset.reload()
    database = dataset._sample_collection.database
    return {
        "schema": {name: str(f) for name, f in dataset.get_field_schema().items()},
        "keys": dataset.list_brain_runs(),
        "runs": list(database.runs.find({"_dataset_id": dataset._doc.id})),
        "results": database["fs.files"].count_documents({}),
        "indexes": sorted(dataset.list_indexes()),
        "samples": [
            {name: value for name, value in document.items() if name not in _TIMES}
            for document in dataset._sample_collection.find()
        ],
    }


_TIMES = ("created_at", "last_modified_at")
