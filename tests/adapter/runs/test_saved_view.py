"""A run leaves a saved view in the App, and takes no view of a person's away."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo import repair, suspicious_view
from fiftyone_dfaulo.adapter.runs import brain_run, saved_view
from fiftyone_dfaulo.adapter.runs.saved_view import find_view
from fiftyone_dfaulo.adapter.runs.writer import write_run

NAME = "Most suspicious (dfaulo)"


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    return make_dataset(["a", "b", None, "a", "b"])


def views(dataset: Any) -> list[str]:
    dataset.reload()
    return dataset.list_saved_views()


def active(dataset: Any) -> list[str] | None:
    dataset.reload()
    chosen = dataset.app_config.active_fields
    return None if chosen is None else chosen.paths


def stored(dataset: Any) -> int:
    """How many views the database holds of a dataset, listed or not."""
    database = dataset._sample_collection.database
    return database.views.count_documents({"_dataset_id": dataset._doc.id})


def test_a_run_leaves_a_view_and_its_fields_on_the_tiles(
    dataset: Any, make_results: Any
) -> None:
    write_run(make_results(dataset))
    assert views(dataset) == [NAME]
    shown = dataset.load_saved_view(NAME)
    assert shown.values("id") == suspicious_view(dataset).values("id")
    assert active(dataset) == [
        "ground_truth",
        "dfaulo_suggestion",
        "dfaulo_suspiciousness",
        "dfaulo_verdict",
    ]


def test_the_view_goes_with_the_run(dataset: Any, make_results: Any) -> None:
    write_run(make_results(dataset))
    write_run(make_results(dataset))  # in its place
    assert (views(dataset), stored(dataset)) == ([NAME], 1)
    assert "dfaulo_suspiciousness" in active(dataset)
    dataset.rename_brain_run("dfaulo", "mine")
    assert views(dataset) == ["Most suspicious (mine)"]
    assert len(dataset.load_saved_view("Most suspicious (mine)")) == 4
    assert "mine_suspiciousness" in active(dataset)
    dataset.delete_brain_run("mine")
    assert (views(dataset), stored(dataset), active(dataset)) == ([], 0, None)


class Died(Exception):
    """Stands for a process that ends here."""


@pytest.mark.parametrize("step", ["_change_list", "_describe", "colored_scores"])
@pytest.mark.parametrize("what", ["rename", "delete", "run"])
def test_who_dies_in_between_leaves_no_view_and_loses_none(
    dataset: Any, make_results: Any, monkeypatch: Any, what: str, step: str
) -> None:
    def do() -> None:
        if what == "run":
            write_run(make_results(dataset))
        elif "dfaulo" not in dataset.list_brain_runs():
            repair(dataset, drop=True)  # FiftyOne went on without us
        elif what == "rename":
            dataset.rename_brain_run("dfaulo", "mine")
        else:
            dataset.delete_brain_run("dfaulo")

    def die(*args: Any) -> None:
        raise Died

    write_run(make_results(dataset))
    with monkeypatch.context() as patched, suppress(Died):
        patched.setattr(saved_view, step, die)
        do()
    do()
    expected = {"rename": ["Most suspicious (mine)"], "run": [NAME], "delete": []}
    assert (views(dataset), stored(dataset)) == (expected[what], len(expected[what]))


def test_a_view_is_followed_while_its_run_has_the_names_of_two_keys(
    dataset: Any, make_results: Any, monkeypatch: Any
) -> None:
    def die(*args: Any) -> None:
        raise Died

    write_run(make_results(dataset))
    run = dataset.get_brain_info("dfaulo").config.build()
    with monkeypatch.context() as patched, suppress(Died):
        patched.setattr(brain_run, "rename_run", die)
        patched.setattr(saved_view.foo.SavedViewDocument, "save", die)
        run.rename(dataset, "dfaulo", "mine")
    assert views(dataset) == [NAME]
    dataset.delete_brain_run("dfaulo")
    assert (views(dataset), stored(dataset)) == ([], 0)


def test_a_view_and_a_choice_of_a_person_stay(dataset: Any, make_results: Any) -> None:
    dataset.save_view("most-suspicious dfaulo", dataset.limit(1))
    dataset.app_config.active_fields = fo.ActiveFields(paths=["filepath"])
    dataset.save()
    write_run(make_results(dataset))
    assert views(dataset) == ["most-suspicious dfaulo", f"{NAME} 2"]
    assert active(dataset) == ["filepath"]
    dataset.delete_brain_run("dfaulo")
    assert views(dataset) == ["most-suspicious dfaulo"]
    assert len(dataset.load_saved_view("most-suspicious dfaulo")) == 1
    assert active(dataset) == ["filepath"]


@pytest.mark.parametrize("what", ["name", "description", "stages"])
def test_a_view_that_a_person_has_changed_is_theirs(
    dataset: Any, make_results: Any, what: str
) -> None:
    write_run(make_results(dataset))
    if what == "stages":
        dataset.save_view(NAME, dataset.limit(1), overwrite=True)
    else:
        dataset.update_saved_view_info(NAME, {what: "mine"})
    (name,) = views(dataset)
    fields = dataset.get_brain_info("dfaulo").config.fields
    assert find_view(dataset, fields) is None
    dataset.rename_brain_run("dfaulo", "other")
    dataset.delete_brain_run("other")
    assert views(dataset) == [name]


def test_a_view_that_a_person_has_deleted_does_not_come_back(
    dataset: Any, make_results: Any
) -> None:
    write_run(make_results(dataset))
    dataset.delete_saved_view(NAME)
    dataset.rename_brain_run("dfaulo", "other")
    assert views(dataset) == []


def test_two_runs_have_a_view_each(dataset: Any, make_results: Any) -> None:
    write_run(make_results(dataset))
    write_run(make_results(dataset, "two"))
    assert views(dataset) == [NAME, "Most suspicious (two)"]
    assert {"dfaulo_suspiciousness", "two_suspiciousness"} <= {*active(dataset)}
    dataset.delete_brain_run("dfaulo")
    assert views(dataset) == ["Most suspicious (two)"]
    assert "two_suspiciousness" in active(dataset)


def test_the_view_of_a_clone_goes_with_its_run(dataset: Any, make_results: Any) -> None:
    write_run(make_results(dataset))
    clone = dataset.clone()
    clone.delete_brain_run("dfaulo")
    assert (views(clone), views(dataset)) == ([], [NAME])
    clone.delete()
