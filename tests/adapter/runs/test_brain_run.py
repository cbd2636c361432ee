"""The brain run in FiftyOne's hands: listed, loaded, renamed, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.runs import brain_run
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo, DFauLoConfig
from fiftyone_dfaulo.adapter.runs.lookup import load_config
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.storage.schema import field_names
from fiftyone_dfaulo.errors import RunError
from tests.adapter.process import last_json, run_python

FIELDS = [
    "dfaulo_suspiciousness",
    "dfaulo_suggestion",
    "dfaulo_reasons",
    "dfaulo_verdict",
]
NEW_FIELDS = [name.replace("dfaulo", "new") for name in FIELDS]


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Four samples, scored 0.0, 0.1, 0.2, 0.3 by the run ``dfaulo``."""
    dataset = make_dataset(["a", "b", "a", "b"])
    write_run(make_results(dataset))
    return dataset


def own_fields(dataset: Any) -> list[str]:
    """The fields that no dataset has of itself, apart from the labels."""
    plain = [*fo.Dataset().get_field_schema(), "ground_truth"]
    return [name for name in dataset.get_field_schema() if name not in plain]


def test_the_fields_of_a_key_are_named_by_it() -> None:
    assert list(field_names("dfaulo")) == FIELDS


class TestListing:
    def test_it_is_found_by_type_by_class_by_method_and_by_seed(
        self, dataset: Any
    ) -> None:
        fob.compute_similarity(dataset, embeddings=np.eye(4), brain_key="sim")

        assert dataset.list_brain_runs() == ["dfaulo", "sim"]
        assert dataset.list_brain_runs(type="dfaulo") == ["dfaulo"]
        assert dataset.list_brain_runs(type=DFauLo) == ["dfaulo"]
        assert dataset.list_brain_runs(method="dfaulo") == ["dfaulo"]
        assert dataset.list_brain_runs(method="paper") == []
        assert dataset.list_brain_runs(type="dfaulo", seed=51) == ["dfaulo"]
        assert dataset.list_brain_runs(type="similarity") == ["sim"]

    def test_its_view_hides_the_fields_of_other_runs(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset, "other"))

        schema = dataset.load_brain_view("dfaulo", select_fields=True)
        schema = schema.get_field_schema()

        assert set(FIELDS) <= set(schema)
        assert not {name for name in schema if name.startswith("other")}

    def test_its_fields_are_the_labels_and_those_of_its_own_that_exist(
        self, dataset: Any
    ) -> None:
        run = dataset.get_brain_info("dfaulo").config.build()

        assert run.get_fields(dataset, "dfaulo") == ["ground_truth", *FIELDS]
        dataset.delete_sample_field("dfaulo_verdict")
        assert run.get_fields(dataset, "dfaulo") == ["ground_truth", *FIELDS[:3]]

    def test_a_config_of_a_later_version_loads(self, dataset: Any) -> None:
        stored = dataset.get_brain_info("dfaulo").config.serialize()

        config = DFauLoConfig.from_dict({**stored, "invented_later": 1})

        assert isinstance(config, DFauLoConfig)
        assert config.invented_later == 1
        assert list(config.run_fields) == FIELDS


class TestRename:
    def test_fields_index_and_results_move_with_the_key(self, dataset: Any) -> None:
        dataset.rename_brain_run("dfaulo", "new")

        assert dataset.list_brain_runs() == ["new"]
        assert own_fields(dataset) == NEW_FIELDS
        assert "new_suspiciousness" in dataset.list_indexes()
        assert "dfaulo_suspiciousness" not in dataset.list_indexes()
        assert dataset.values("new_suspiciousness") == [0.0, 0.1, 0.2, 0.3]
        assert dataset.load_brain_results("new").config.fields == NEW_FIELDS
        assert list(load_config(dataset, "new").run_fields) == NEW_FIELDS

    def test_a_field_deleted_by_hand_is_passed_over(self, dataset: Any) -> None:
        dataset.delete_sample_fields(["dfaulo_suspiciousness", "dfaulo_verdict"])

        dataset.rename_brain_run("dfaulo", "new")

        assert own_fields(dataset) == NEW_FIELDS[1:3]

    def test_a_field_that_is_not_the_runs_is_never_touched(self, dataset: Any) -> None:
        dataset.set_values("new_verdict", ["mine"] * 4)

        dataset.rename_brain_run("dfaulo", "new")

        assert dataset.values("new_verdict") == ["mine"] * 4
        assert set(FIELDS) <= set(own_fields(dataset))
        assert list(load_config(dataset, "new").run_fields) == FIELDS
        dataset.delete_brain_run("new")
        assert own_fields(dataset) == ["new_verdict"]

    def test_it_can_be_finished_after_a_crash_in_between(
        self, dataset: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename: Callable[..., None] = brain_run.move_values

        def rename_and_die(storage: Any, moves: dict[str, str]) -> None:
            rename(storage, moves)
            raise KeyboardInterrupt

        monkeypatch.setattr(brain_run, "move_values", rename_and_die)
        with pytest.raises(KeyboardInterrupt):
            dataset.rename_brain_run("dfaulo", "half")
        monkeypatch.undo()

        dataset.rename_brain_run("dfaulo", "new")

        assert own_fields(dataset) == NEW_FIELDS
        dataset.delete_brain_run("new")
        assert own_fields(dataset) == []


class TestDelete:
    def test_fields_and_index_go_with_the_run(self, dataset: Any) -> None:
        dataset.delete_brain_run("dfaulo")

        assert own_fields(dataset) == []
        assert "dfaulo_suspiciousness" not in dataset.list_indexes()
        assert not any("dfaulo" in str(d) for d in dataset._sample_collection.find())

    def test_a_field_deleted_by_hand_is_passed_over(self, dataset: Any) -> None:
        dataset.delete_sample_field("dfaulo_suggestion")

        dataset.delete_brain_run("dfaulo")

        assert own_fields(dataset) == []

    def test_a_clone_of_the_dataset_is_not_touched(self, dataset: Any) -> None:
        clone = dataset.clone()

        dataset.delete_brain_run("dfaulo")

        assert own_fields(clone) == FIELDS
        assert clone.load_brain_results("dfaulo").suspiciousness[3] == 0.3
        clone.delete()


def test_a_process_that_never_loaded_the_package_does_all_of_it(
    dataset: Any, make_results: Any
) -> None:
    write_run(make_results(dataset, "second"))
    dataset.persistent = True

    found = last_json(
        run_python(
            """
            import json, sys
            import fiftyone as fo

            dataset = fo.load_dataset(sys.argv[1])
            assert "fiftyone_dfaulo" not in sys.modules
            results = dataset.load_brain_results("dfaulo")
            dataset.rename_brain_run("dfaulo", "new")
            dataset.delete_brain_run("second")
            scores = results.suspiciousness.tolist()
            print(json.dumps([type(results).__name__, scores, results.classes]))
            """,
            dataset.name,
        )
    )

    dataset.reload()
    assert found == [SingleLabelResults.__name__, [0.0, 0.1, 0.2, 0.3], ["a", "b"]]
    assert dataset.list_brain_runs() == ["new"]
    assert sorted(own_fields(dataset)) == sorted(NEW_FIELDS)
    assert "new_suspiciousness" in dataset.list_indexes()
    assert not any("second" in name for name in dataset.list_indexes())


class TestLoadConfig:
    def test_an_interrupted_run_is_refused(self, dataset: Any) -> None:
        run = dataset.get_brain_info("dfaulo").config.build()
        run.config.complete = False
        run.update_run_config(dataset, "dfaulo", run.config)

        with pytest.raises(RunError, match="'dfaulo' was interrupted"):
            load_config(dataset, "dfaulo")

    def test_a_run_of_another_process_is_found(self, dataset: Any) -> None:
        del dataset._doc.brain_methods["dfaulo"]  # as if it had never been loaded
        assert not dataset.has_brain_run("dfaulo")

        assert list(load_config(dataset, "dfaulo").run_fields) == FIELDS
