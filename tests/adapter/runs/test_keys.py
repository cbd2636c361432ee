"""Which keys a run can be written under."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.keys import check_key
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import RunError

KEY = "dfaulo"


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Five samples of the classes a and b."""
    return make_dataset(["a", "b", "a", "b", "a"])


class TestCheckKey:
    @pytest.mark.parametrize("key", ["", "a b", "1a", "a.b", "a$", "_a", None, 3])
    def test_a_key_that_is_no_identifier_is_refused(
        self, dataset: Any, key: Any
    ) -> None:
        with pytest.raises(RunError, match="cannot be used"):
            check_key(dataset, key)

    def test_the_key_of_another_type_of_run_is_refused(self, dataset: Any) -> None:
        fob.compute_similarity(dataset, embeddings=np.eye(5), brain_key="sim")

        with pytest.raises(RunError, match="taken by a brain run of type 'similarity'"):
            check_key(dataset, "sim")

    @pytest.mark.parametrize("name", ["dfaulo_reasons", "dfaulo_unfinished_verdict"])
    def test_a_field_that_is_not_the_runs_is_in_the_way(
        self, dataset: Any, make_results: Any, unchanged: Any, name: str
    ) -> None:
        dataset.set_values(name, ["mine"] * 5)
        check = unchanged(dataset)

        with pytest.raises(RunError, match=f"overwrite the fields {name}"):
            check_key(dataset, KEY)
        with pytest.raises(RunError, match=f"overwrite the fields {name}"):
            write_run(make_results(dataset))

        check()

    def test_a_run_may_be_replaced(self, dataset: Any, make_results: Any) -> None:
        write_run(make_results(dataset))

        check_key(dataset, KEY)


def test_a_review_put_aside_under_the_name_of_an_unfinished_run_is_kept(
    dataset: Any, make_results: Any
) -> None:
    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:1])
    dataset.rename_brain_run(KEY, "dfaulo_unfinished")
    with pytest.raises(RunError, match="'dfaulo_unfinished' holds 1 verdicts"):
        write_run(make_results(dataset), overwrite=True)
    assert dataset.list_brain_runs() == ["dfaulo_unfinished"]
    assert dataset.count("dfaulo_unfinished_verdict") == 1


def test_the_name_of_an_unfinished_run_is_refused(dataset: Any) -> None:
    with pytest.raises(RunError, match="being replaced"):
        check_key(dataset, "mine_unfinished")


class TestAFieldMadeSinceUnderTheNameOfARunsField:
    @pytest.fixture
    def replaced(self, dataset: Any, make_results: Any) -> Any:
        write_run(make_results(dataset))
        dataset.delete_sample_field("dfaulo_reasons")
        dataset.add_sample_field("dfaulo_reasons", fo.FloatField)
        dataset.set_values("dfaulo_reasons", [0.5] * len(dataset))
        return dataset

    def test_stands_in_the_way_of_a_new_run(self, replaced: Any) -> None:
        with pytest.raises(RunError, match="dfaulo_reasons"):
            check_key(replaced, "dfaulo")

    def test_outlives_the_run(self, replaced: Any) -> None:
        replaced.delete_brain_run("dfaulo")
        assert replaced.values("dfaulo_reasons") == [0.5] * len(replaced)
        assert not replaced.has_sample_field("dfaulo_suspiciousness")
