"""What runs, other tools and dead processes leave is found, and mended or offered."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest
from pymongo.errors import AutoReconnect

from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo
from fiftyone_dfaulo.adapter.runs.keys import check_key
from fiftyone_dfaulo.adapter.runs.repair import repair
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError

KEY = "dfaulo"


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Five samples with a run."""
    made = make_dataset(["a", "b", "a", "b", "a"])
    write_run(make_results(made))
    return made


def forget(dataset: Any, *names: str) -> None:
    """As another process that saves its schema over ours."""
    datasets = fo.core.odm.get_db_conn().datasets
    gone = {"$pull": {"sample_fields": {"name": {"$in": list(names)}}}}
    datasets.update_one({"_id": dataset._doc.id}, gone)
    dataset.clear_cache()
    dataset.reload()


def ours(dataset: Any) -> list[str]:
    return [n for n in dataset.get_field_schema() if n.startswith(KEY)]


def test_a_whole_dataset_is_left_alone(dataset: Any, unchanged: Any) -> None:
    check = unchanged(dataset)
    found = repair(dataset, drop=True)
    assert not found
    assert str(found) == "Nothing to repair"
    check()


def test_fields_of_a_run_that_the_schema_lost_are_back(
    dataset: Any,
) -> None:
    before = str(dataset.get_field("dfaulo_reasons"))
    forget(dataset, "dfaulo_verdict", "dfaulo_reasons")
    with pytest.raises(Exception, match="do not exist on the document"):
        list(dataset.iter_samples())

    found = repair(dataset)

    assert "dfaulo_reasons, dfaulo_verdict" in str(found)
    assert len(list(dataset.iter_samples())) == 5
    assert str(dataset.get_field("dfaulo_reasons")) == before
    assert dataset.values("dfaulo_reasons")[1] == []
    assert not repair(dataset)


def test_a_run_whose_fields_the_schema_lost_is_deleted_whole(dataset: Any) -> None:
    forget(dataset, "dfaulo_verdict", "dfaulo_suspiciousness")

    dataset.delete_brain_run(KEY)

    assert not any("dfaulo" in str(d) for d in dataset._sample_collection.find())
    assert not any("dfaulo" in name for name in dataset.list_indexes())
    assert not repair(dataset)


def test_the_fields_of_a_views_clone_are_offered_and_dropped(dataset: Any) -> None:
    clone = dataset.limit(3).clone()
    assert clone.list_brain_runs() == []

    found = repair(clone)
    assert not found.mended
    assert "no run is here that made the fields dfaulo_susp" in found.offered[0]
    assert len(ours(clone)) == 4

    assert repair(clone, drop=True).mended
    assert ours(clone) == []
    assert not any("dfaulo" in str(d) for d in clone._sample_collection.find())
    assert len(ours(dataset)) == 4
    clone.delete()


def test_a_new_run_in_a_views_clone_takes_the_fields_over_unless_they_hold_a_review(
    dataset: Any, make_results: Any
) -> None:
    clone = dataset.limit(3).clone()
    write_run(make_results(clone))
    assert clone.values("dfaulo_suspiciousness") == [0.0, 0.1, 0.2]
    clone.delete()

    record_verdicts(dataset, faulty=dataset.values("id")[:1])
    clone = dataset.limit(3).clone()
    with pytest.raises(RunError, match="hold the review of a run that is not here"):
        write_run(make_results(clone))
    assert clone.values("dfaulo_verdict") == ["faulty", None, None]
    write_run(make_results(clone), overwrite=True)
    assert clone.values("dfaulo_verdict") == [None, None, None]
    record_verdicts(clone, faulty=clone.values("id")[1:2])
    assert [len(h or ()) for h in clone.values("dfaulo_history")] == [0, 1, 0]
    clone.delete()


def test_values_and_indexes_without_a_field_go(dataset: Any) -> None:
    dataset._sample_collection.update_many({}, {"$set": {"old_suspiciousness": 1.0}})
    dataset._sample_collection.create_index("gone_suspiciousness")

    found = repair(dataset)
    assert "old_suspiciousness" in found.offered[0]
    assert "gone_suspiciousness" in found.mended[0]

    repair(dataset, drop=True)
    assert not repair(dataset)
    assert len(list(dataset.iter_samples())) == 5


def test_an_unfinished_run_is_dropped_when_asked(dataset: Any) -> None:
    config = dataset.get_brain_info(KEY).config
    config.complete = False
    config.build().update_run_config(dataset, KEY, config)

    assert "unfinished" in str(repair(dataset))
    assert dataset.list_brain_runs() == [KEY]
    repair(dataset, drop=True)
    assert dataset.list_brain_runs() == []
    assert ours(dataset) == []


def test_fields_that_kept_their_names_when_the_run_was_renamed_follow(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FiftyOne changes the key even if the fields could not be renamed."""
    record_verdicts(dataset, faulty=[dataset.first().id])
    with monkeypatch.context() as patch:
        patch.setattr(DFauLo, "rename", database_away)
        dataset.rename_brain_run(KEY, "second")
    with pytest.raises(RunError, match=r"'second'.*repair\(dataset\) finishes it"):
        check_key(dataset, KEY)

    found = repair(dataset)

    assert "run 'second'" in str(found)
    assert not ours(dataset)
    assert dataset.values("second_verdict") == ["faulty", None, None, None, None]
    check_key(dataset, KEY)
    assert not repair(dataset)


def database_away(*_: object) -> None:
    raise AutoReconnect("connection reset")


def test_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="expected a FiftyOne dataset"):
        repair("dataset")  # type: ignore[arg-type]
