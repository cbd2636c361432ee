"""Embeddings from fields, brain runs and arrays, and which of them are refused."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.reading.embeddings import (
    check_embeddings,
    list_embeddings,
    read_embeddings,
)
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.targets import sample
from fiftyone_dfaulo.errors import InputError

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Four samples with VECTORS in the field ``emb``."""
    dataset = make_dataset(["a", "b", "a", "b"])
    dataset.set_values("emb", list(VECTORS))
    return dataset


class TestArrays:
    def test_rows_belong_to_the_samples_in_the_order_of_the_view(
        self, dataset: Any
    ) -> None:
        view = dataset.sort_by("filepath", reverse=True)
        ids = dataset.values("id")

        array, kept, missing = read_embeddings(view, VECTORS, [ids[0], ids[2]])

        assert array.dtype == np.float32
        assert array.tolist() == [VECTORS[3].tolist(), VECTORS[1].tolist()]
        assert kept.tolist() == [0, 1]
        assert missing == {}

    @pytest.mark.parametrize(
        "array",
        [
            VECTORS[:3],
            VECTORS[0],
            np.zeros((4, 0)),
            np.zeros((4, 2, 2)),
            np.array([["a"]] * 4),
            np.zeros((4, 2), complex),
        ],
    )
    def test_a_wrong_shape_or_type_is_refused_with_both(
        self, dataset: Any, array: np.ndarray
    ) -> None:
        with pytest.raises(InputError, match=r"expected numbers of shape \(4, D\)"):
            check_embeddings(dataset, array)

    def test_rows_of_different_lengths_are_refused(self, dataset: Any) -> None:
        with pytest.raises(InputError, match="a list, cannot be read as an array"):
            check_embeddings(dataset, [[1.0], [1.0, 2.0], [1.0], [1.0]])

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_rows_that_tell_nothing_are_left_out_with_a_reason(
        self, dataset: Any, value: float
    ) -> None:
        array = VECTORS.astype(np.float64)
        array[2, 1] = value
        array[0] = 0
        ids = dataset.values("id")

        found, kept, missing = read_embeddings(dataset, array, ids)

        assert found.tolist() == VECTORS[[1, 3]].tolist()
        assert kept.tolist() == [1, 3]
        assert missing == {
            0: "its embedding is the same number throughout",
            2: "its embedding holds NaN or infinity",
        }

    @pytest.mark.parametrize(
        ("value", "why"), [(np.nan, "NaN or infinity"), (7, "one number throughout")]
    )
    def test_rows_of_which_none_tells_something_are_refused(
        self, dataset: Any, value: float, why: str
    ) -> None:
        ids = dataset.values("id")
        with pytest.raises(InputError, match=f"{why} for all 4.*{ids[0]}"):
            read_embeddings(dataset, np.full((4, 3), value), ids)

    def test_a_single_number_a_row_is_no_constant_row(self, dataset: Any) -> None:
        found, _, missing = read_embeddings(
            dataset, np.array([[0.0], [1], [2], [3]]), dataset.values("id")
        )
        assert found.ravel().tolist() == [0, 1, 2, 3]
        assert missing == {}


class TestFields:
    @pytest.mark.parametrize("kind", [np.asarray, list])
    def test_vectors_and_lists_of_floats_are_read(
        self, dataset: Any, kind: Any
    ) -> None:
        dataset.set_values("other", [kind(row.tolist()) for row in VECTORS])
        ids = dataset.values("id")[::-1]

        array, kept, missing = read_embeddings(dataset, "other", ids)

        assert array.tolist() == VECTORS[::-1].tolist()
        assert kept.tolist() == [0, 1, 2, 3]
        assert missing == {}

    def test_batches_make_no_difference(
        self, dataset: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sample, "_BATCH", 3)

        array, kept, _ = read_embeddings(dataset, "emb", dataset.values("id"))

        assert array.tolist() == VECTORS.tolist()
        assert kept.tolist() == [0, 1, 2, 3]

    def test_samples_without_one_are_left_out_with_a_reason(self, dataset: Any) -> None:
        ids = dataset.values("id")
        dataset.set_values("emb", {ids[1]: None}, key_field="id")

        array, kept, missing = read_embeddings(dataset, "emb", ids)

        assert array.tolist() == VECTORS[[0, 2, 3]].tolist()
        assert kept.tolist() == [0, 2, 3]
        assert missing == {1: "no embedding"}

    def test_a_field_without_any_is_refused(self, dataset: Any) -> None:
        dataset.add_sample_field("empty", fo.VectorField)

        with pytest.raises(InputError, match="no embedding for any of the 4"):
            read_embeddings(dataset, "empty", dataset.values("id"))

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (np.zeros(2), r"different lengths \(2, 3\)"),
            (np.zeros((3, 3)), r"an array of shape \(3, 3\)"),
            (np.zeros(0), r"an array of shape \(0,\)"),
            (np.array(["a", "b", "c"]), "something else than numbers"),
        ],
    )
    @pytest.mark.parametrize("batch", [10, 1])
    def test_an_odd_value_is_refused(
        self,
        dataset: Any,
        value: np.ndarray,
        message: str,
        batch: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sample, "_BATCH", batch)
        ids = dataset.values("id")
        dataset.set_values("emb", {ids[3]: value}, key_field="id", validate=False)

        with pytest.raises(InputError, match=message):
            read_embeddings(dataset, "emb", ids)

    def test_a_field_of_another_type_is_refused_with_those_that_will_do(
        self, dataset: Any
    ) -> None:
        with pytest.raises(InputError, match=r"is a StringField.*: emb \(field\)"):
            check_embeddings(dataset, "filepath")


class TestBrainRuns:
    def test_the_embeddings_of_a_similarity_index_are_read(self, dataset: Any) -> None:
        fob.compute_similarity(dataset[:3], embeddings=VECTORS[:3], brain_key="sim")
        ids = dataset.values("id")

        array, kept, missing = read_embeddings(dataset, "sim", ids[::-1])

        assert array.tolist() == VECTORS[[2, 1, 0]].tolist()
        assert kept.tolist() == [1, 2, 3]
        assert missing == {0: "no embedding"}

    @pytest.mark.parametrize("source", ["emb", "sim"])
    def test_a_visualization_leads_to_what_it_was_made_from(
        self, dataset: Any, source: str
    ) -> None:
        fob.compute_similarity(dataset, embeddings=VECTORS, brain_key="sim")
        how = {"emb": "embeddings", "sim": "similarity_index"}[source]
        fob.compute_visualization(
            dataset, method="pca", brain_key="plot", **{how: source}
        )

        array, _, _ = read_embeddings(dataset, "plot", dataset.values("id"))

        assert array.tolist() == VECTORS.tolist()

    def test_a_visualization_that_kept_only_its_points_is_refused(
        self, dataset: Any
    ) -> None:
        fob.compute_visualization(
            dataset, method="pca", embeddings=VECTORS, brain_key="plot"
        )

        with pytest.raises(InputError, match="kept only the points of its plot"):
            check_embeddings(dataset, "plot")

    def test_embeddings_of_patches_are_refused(self, dataset: Any) -> None:
        boxes = [fo.Detection(bounding_box=[0, 0, 1, 1]) for _ in dataset]
        dataset.set_values("boxes", [fo.Detections(detections=[b]) for b in boxes])
        fob.compute_similarity(
            dataset,
            patches_field="boxes",
            embeddings={i: row[None] for i, row in zip(dataset.values("id"), VECTORS)},
            brain_key="patches",
        )

        with pytest.raises(InputError, match="on the patches in 'boxes'"):
            check_embeddings(dataset, "patches")

    def test_another_type_of_run_is_refused(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))

        with pytest.raises(InputError, match="of type 'dfaulo', which has no embedd"):
            check_embeddings(dataset, "dfaulo")

    def test_a_run_whose_embeddings_are_gone_is_refused(self, dataset: Any) -> None:
        index = fob.compute_similarity(dataset, embeddings=VECTORS, brain_key="sim")
        index.backend.save_run_results(dataset, "sim", None)

        with pytest.raises(InputError, match="brain run 'sim' cannot be loaded"):
            read_embeddings(dataset, "sim", dataset.values("id"))

    def test_a_name_of_nothing_is_refused(self, dataset: Any) -> None:
        with pytest.raises(InputError, match="neither a field .* nor a brain run"):
            check_embeddings(dataset, "nothing")


def test_what_holds_embeddings_is_listed(dataset: Any) -> None:
    dataset.set_values("scores", [[0.5]] * 4)
    dataset.set_values("words", [["a"]] * 4)
    fob.compute_similarity(dataset, embeddings=VECTORS, brain_key="sim")
    fob.compute_visualization(
        dataset,
        method="pca",
        embeddings="emb",
        points_field="points",
        brain_key="from_field",
    )
    fob.compute_visualization(
        dataset, method="pca", embeddings=VECTORS, brain_key="points_only"
    )

    assert [tuple(source) for source in list_embeddings(dataset)] == [
        ("emb", "field", "VectorField"),
        ("scores", "field", "ListField"),
        ("sim", "brain run", "similarity"),
        ("from_field", "brain run", "visualization"),
    ]


def test_embeddings_that_are_all_the_same_are_refused(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b", "a"])
    with pytest.raises(InputError, match="all 3 embeddings from embeddings are"):
        read_embeddings(dataset, np.tile([1, 2], (3, 1)), dataset.values("id"))
