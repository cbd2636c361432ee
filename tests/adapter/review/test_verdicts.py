"""What is recorded, who may say what, and that nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs.lookup import load_config
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError
from tests.adapter.process import last_json, run_forked

HISTORY = "dfaulo_history"


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Five samples; the run scored all but the third: 0.0, 0.1, 0.2, 0.3."""
    dataset = make_dataset(["a", "b", None, "a", "b"])
    write_run(make_results(dataset))
    return dataset


def history(dataset: Any) -> list[list[tuple[Any, Any]]]:
    return [
        [(entry["verdict"], entry["by"]) for entry in entries or []]
        for entries in dataset.values(HISTORY)
    ]


def test_verdicts_are_written_and_counted(dataset: Any) -> None:
    ids = dataset.values("id")
    sample = dataset[ids[4]]

    counts = record_verdicts(
        dataset, faulty=(i for i in ids[4:]), correct=[ids[0], ids[1]], by="Ada"
    )

    assert counts == {"faulty": 1, "correct": 2, "cleared": 0, "unchanged": 0}
    assert dataset.values("dfaulo_verdict") == [
        "correct",
        "correct",
        None,
        None,
        "faulty",
    ]
    assert sample.dfaulo_verdict == "faulty"  # of a sample held in memory, too
    assert history(dataset)[4] == [("faulty", "Ada")]
    assert dataset[ids[4]].dfaulo_history[0]["at"].year > 2000


def test_the_same_verdict_again_writes_nothing(dataset: Any, unchanged: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=[ids[0], ids[0]])
    check = unchanged(dataset)

    counts = record_verdicts(dataset, faulty=ids[0], cleared=[ids[1]], by="Bob")

    assert counts == {"faulty": 0, "correct": 0, "cleared": 0, "unchanged": 2}
    check()


def test_the_later_verdict_stands_and_both_are_in_the_history(dataset: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=[ids[0]], by="Ada")
    record_verdicts(dataset, correct=[ids[0]], by="$Bob")
    record_verdicts(dataset, cleared=[ids[0]])

    assert dataset.values("dfaulo_verdict")[0] is None
    assert history(dataset)[0] == [
        ("faulty", "Ada"),
        ("correct", "$Bob"),
        ("cleared", None),
    ]


def test_views_say_which_samples(dataset: Any) -> None:
    batch = suspicious_view(dataset, unreviewed=True)

    record_verdicts(batch, faulty=batch[:1], correct=batch[1:])

    assert dataset.count_values("dfaulo_verdict") == {
        None: 1,
        "faulty": 1,
        "correct": 3,
    }


def test_verdicts_of_another_process_are_kept(dataset: Any) -> None:
    ids = dataset.values("id")
    stale = [dataset[i] for i in ids]
    dataset.persistent = True
    last_json(
        run_forked(
            """
            import json, sys
            import fiftyone as fo
            from fiftyone_dfaulo import record_verdicts

            dataset = fo.load_dataset(sys.argv[1])
            print(json.dumps(record_verdicts(dataset, faulty=[sys.argv[2]], by="Eve")))
            """,
            dataset.name,
            ids[0],
        )
    )

    record_verdicts(dataset, correct=[ids[1]], by="Ada")

    assert dataset.values("dfaulo_verdict")[:2] == ["faulty", "correct"]
    assert history(dataset)[:2] == [[("faulty", "Eve")], [("correct", "Ada")]]
    assert stale[0].dfaulo_verdict == "faulty"


def test_the_history_belongs_to_the_run(dataset: Any, make_results: Any) -> None:
    record_verdicts(dataset, faulty=[dataset.first().id])

    assert HISTORY in load_config(dataset, "dfaulo").fields
    run = dataset.get_brain_info("dfaulo").config.build()
    assert HISTORY in run.get_fields(dataset, "dfaulo")
    dataset.rename_brain_run("dfaulo", "new")
    assert dataset.values("new_history")[0][0]["verdict"] == "faulty"
    record_verdicts(dataset, "new", correct=[dataset.first().id])
    assert len(dataset.values("new_history")[0]) == 2
    assert not dataset.has_sample_field(HISTORY)
    dataset.delete_brain_run("new")
    assert not [name for name in dataset.get_field_schema() if name.startswith("new")]


def test_a_fresh_process_renames_and_deletes_the_history(dataset: Any) -> None:
    record_verdicts(dataset, faulty=[dataset.first().id])
    dataset.persistent = True
    code = """
        import json, sys
        import fiftyone as fo

        dataset = fo.load_dataset(sys.argv[1])
        dataset.rename_brain_run("dfaulo", "new")
        names = list(dataset.get_field_schema())
        dataset.delete_brain_run("new")
        print(json.dumps([names, list(dataset.get_field_schema())]))
    """

    renamed, deleted = last_json(run_forked(code, dataset.name))

    assert "new_history" in renamed
    assert not [n for n in renamed if n.startswith("dfaulo")]
    assert not [n for n in deleted if n.startswith(("new", "dfaulo"))]


def test_empty_lists_change_nothing(dataset: Any, unchanged: Any) -> None:
    check = unchanged(dataset)
    assert not any(record_verdicts(dataset).values())
    check()


@pytest.mark.parametrize(
    "bad", ["x", "0" * 24, None, 3, [3]], ids=["text", "unknown", "None", "3", "[3]"]
)
def test_what_is_no_id_of_a_sample_is_refused(
    dataset: Any, unchanged: Any, bad: Any
) -> None:
    check = unchanged(dataset)
    with pytest.raises(InputError, match="no samples with these ids|expected sample"):
        record_verdicts(dataset, faulty=dataset.values("id")[:1], correct=bad)
    check()


def test_a_sample_outside_the_run_is_named(dataset: Any, unchanged: Any) -> None:
    ids = dataset.values("id")
    check = unchanged(dataset)
    with pytest.raises(InputError, match=f"no score for these samples: {ids[2]}"):
        record_verdicts(dataset, faulty=ids)
    check()


def test_one_sample_with_two_verdicts_is_refused(dataset: Any, unchanged: Any) -> None:
    ids = dataset.values("id")
    check = unchanged(dataset)
    with pytest.raises(InputError, match=f"{ids[0]} is given as faulty and as cleared"):
        record_verdicts(dataset, faulty=ids[:2], cleared=ids[:1])
    check()


def test_no_run_a_deleted_field_and_a_deleted_run_are_refused(dataset: Any) -> None:
    ids = dataset.values("id")[:1]
    with pytest.raises(RunError, match="no brain run 'other'"):
        record_verdicts(dataset, "other", faulty=ids)
    dataset.delete_sample_field("dfaulo_verdict")
    with pytest.raises(RunError, match="'dfaulo_verdict' .* was deleted"):
        record_verdicts(dataset, faulty=ids)
    dataset.delete_brain_run("dfaulo")
    with pytest.raises(RunError, match="no brain run 'dfaulo'"):
        record_verdicts(dataset, faulty=ids)
    assert not dataset.has_sample_field(HISTORY)


def test_an_interrupted_run_is_refused(dataset: Any, unchanged: Any) -> None:
    run = dataset.get_brain_info("dfaulo").config.build()
    run.config.complete = False
    run.update_run_config(dataset, "dfaulo", run.config)
    check = unchanged(dataset)
    with pytest.raises(RunError, match="was interrupted"):
        record_verdicts(dataset, faulty=dataset.values("id")[:1])
    check()


def test_a_field_of_that_name_is_never_touched(dataset: Any, unchanged: Any) -> None:
    dataset.set_values(HISTORY, ["mine"] * 5)
    check = unchanged(dataset)
    with pytest.raises(RunError, match="needs the fields dfaulo_history"):
        record_verdicts(dataset, faulty=dataset.values("id")[:1])
    check()


def test_a_dataset_deleted_elsewhere_is_an_error(dataset: Any) -> None:
    dataset.persistent = True
    ids = dataset.values("id")
    code = "import sys, fiftyone as fo; fo.delete_dataset(sys.argv[1]); print(1)"
    last_json(run_forked(code, dataset.name))
    with pytest.raises(RunError, match="was deleted; load another one"):
        record_verdicts(dataset, faulty=ids[:1])
