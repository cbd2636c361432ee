"""What else may happen to a dataset while a run is written, or reviewed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import fiftyone as fo
import pytest
from fiftyone.core.odm import get_db_conn

from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts, write_verdicts
from fiftyone_dfaulo.adapter.runs import writer
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo
from fiftyone_dfaulo.adapter.runs.repair import repair
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import DFauLoError, RunError

KEY = "dfaulo"
SCORES = [0.0, 0.1, 0.2, 0.3, 0.4]


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Five samples."""
    return make_dataset(["a", "b", "a", "b", "a"])


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH", 2)


def once(act: Callable[[], object]) -> Callable[[float], None]:
    """A report that does something after the first batch."""
    done: list[bool] = []

    def report(fraction: float) -> None:
        if fraction > 0 and not done:
            done.append(True)
            act()

    return report


def test_a_renamed_dataset_is_written_all_the_same(
    dataset: Any, make_results: Any
) -> None:
    name, query = f"{dataset.name}-new", {"_id": dataset._doc.id}

    def rename() -> None:
        get_db_conn().datasets.update_one(query, {"$set": {"name": name}})

    write_run(make_results(dataset), report=once(rename))

    assert dataset.name == name
    assert dataset.values("dfaulo_suspiciousness") == SCORES
    assert not repair(dataset)


def test_a_deleted_dataset_is_our_error(dataset: Any, make_results: Any) -> None:
    results = make_results(dataset)
    with pytest.raises(RunError, match="deleted meanwhile"):
        write_run(results, report=once(lambda: fo.delete_dataset(dataset.name)))


def test_unsaved_changes_of_the_callers_stay(dataset: Any, make_results: Any) -> None:
    dataset.info["mine"] = 1
    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:1])
    assert dataset.info == {"mine": 1}


def test_fields_that_another_tool_saves_away_are_back(
    dataset: Any, make_results: Any
) -> None:
    datasets, query = get_db_conn().datasets, {"_id": dataset._doc.id}
    before = datasets.find_one(query)["sample_fields"]

    def save_old_schema() -> None:
        datasets.update_one(query, {"$set": {"sample_fields": before}})

    write_run(make_results(dataset), report=once(save_old_schema))

    assert not repair(dataset)
    assert [s.dfaulo_suspiciousness for s in dataset.iter_samples()] == SCORES


def test_what_is_recorded_in_a_run_that_is_gone_is_refused_and_never_seen(
    dataset: Any, make_results: Any
) -> None:
    write_run(make_results(dataset))
    ids = dataset.values("id")
    record_verdicts(dataset, correct=ids[1:2])  # so that all fields are there
    review = open_review(dataset, KEY, "verdict")
    dataset.delete_brain_run(KEY)

    with pytest.raises(DFauLoError, match="nothing was changed"):
        write_verdicts(review, faulty=ids[:1])

    assert not any("dfaulo" in str(d) for d in dataset._sample_collection.find())
    write_run(make_results(dataset))
    with pytest.raises(RunError, match="deleted, replaced or renamed"):
        write_verdicts(review, faulty=ids[:1])
    record_verdicts(dataset, faulty=ids[2:3])
    histories = dataset.values("dfaulo_history")
    assert [len(one or ()) for one in histories] == [0, 0, 1, 0, 0]


def test_values_of_a_run_before_are_never_seen(dataset: Any, make_results: Any) -> None:
    left = {"dfaulo_history": [{"verdict": "faulty"}], "dfaulo_original_label": {}}
    dataset._sample_collection.update_many({}, {"$set": left})

    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:1])

    assert [len(h or ()) for h in dataset.values("dfaulo_history")] == [1, 0, 0, 0, 0]


def test_the_64th_index_is_a_note(dataset: Any, make_results: Any) -> None:
    collection = dataset._sample_collection
    for number in range(64 - len(collection.index_information())):
        collection.create_index(f"some_{number}")
    results = make_results(dataset)

    write_run(results)

    assert "allows no more indexes" in " ".join(results.notes)
    assert dataset.values("dfaulo_suspiciousness") == SCORES
    dataset.rename_brain_run(KEY, "new")
    assert dataset.values("new_suspiciousness") == SCORES


def test_a_run_that_is_renamed_while_the_next_is_written_stays(
    dataset: Any, make_results: Any
) -> None:
    """FiftyOne has the fields renamed, and changes the key a little later."""
    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:1])
    config = dataset.get_brain_info(KEY).config

    def change_key() -> None:
        datasets, runs = get_db_conn().datasets, get_db_conn().runs
        keys = {"brain_methods.dfaulo": "brain_methods.renamed"}
        query = {"_dataset_id": dataset._doc.id, "config.token": config.token}
        runs.update_one(query, {"$set": {"key": "renamed"}})
        datasets.update_one({"_id": dataset._doc.id}, {"$rename": keys})

    def rename() -> None:
        config.build().rename(dataset, KEY, "renamed")
        threading.Timer(0.5, change_key).start()

    write_run(make_results(dataset), overwrite=True, report=once(rename))

    assert {*dataset.list_brain_runs()} == {KEY, "renamed"}
    assert dataset.values("renamed_verdict") == ["faulty", None, None, None, None]
    assert dataset.values("renamed_suspiciousness") == SCORES
    assert dataset.values("dfaulo_verdict") == [None] * 5
    assert dataset.values("dfaulo_suspiciousness") == SCORES
    assert not repair(dataset)


def test_a_run_that_is_replaced_before_it_is_renamed_or_deleted_is_the_one_meant(
    dataset: Any, make_results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wait for the lease, with the run that was there before in their hands."""
    write_run(make_results(dataset))
    for step, act in (
        ("rename", lambda: dataset.rename_brain_run(KEY, "renamed")),
        ("cleanup", lambda: dataset.delete_brain_run("renamed")),
    ):
        before = getattr(DFauLo, step)

        def late(
            self: Any, samples: Any, key: str, *more: Any, before: Any = before
        ) -> None:
            monkeypatch.undo()
            write_run(make_results(dataset, key), overwrite=True)
            before(self, samples, key, *more)

        monkeypatch.setattr(writer, "BATCH", 2)
        monkeypatch.setattr(DFauLo, step, late)
        act()
        assert not repair(dataset)
    assert dataset.list_brain_runs() == []
    assert not any("renamed_" in str(d) for d in dataset._sample_collection.find())
