"""A run is written whole or not at all, and nothing of anybody else's is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs import brain_run, rows, writer
from fiftyone_dfaulo.adapter.runs.lookup import load_config
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import Cancelled, RunError
from tests.adapter.process import run_forked

LABELS = ["a", "b", None, "a", "b"]
KEY = "dfaulo"


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Five samples, the third without a label."""
    return make_dataset(LABELS)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH", 2)


def fields(dataset: Any) -> list[str]:
    """The fields that runs have added."""
    plain = [*fo.Dataset().get_field_schema(), "ground_truth"]
    return [name for name in dataset.get_field_schema() if name not in plain]


class TestWhatIsWritten:
    def test_every_scored_sample_has_its_values(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))

        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, 0.2, 0.3]
        suggestions = dataset.values("dfaulo_suggestion")
        assert [s and s.label for s in suggestions] == ["b", "a", None, "b", "a"]
        assert [s and s.confidence for s in suggestions] == [0.5, 0.5, None, 0.5, 0.5]
        why = ["looks like another class"]
        assert dataset.values("dfaulo_reasons") == [why, [], None, why, []]
        assert dataset.values("dfaulo_verdict") == [None] * 5

    def test_suggestions_are_stored_as_fiftyone_stores_them(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))
        sample = dataset.first()
        sample["other"] = fo.Classification(label="b", confidence=0.5)
        sample.save()

        stored = dataset._sample_collection.find_one({"_id": sample._id})

        ours, theirs = stored["dfaulo_suggestion"], stored["other"]
        assert ours.pop("_id") != theirs.pop("_id")
        assert ours == theirs

    def test_the_fields_say_what_they_are_and_the_first_is_indexed(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))

        kinds = [fo.FloatField, fo.EmbeddedDocumentField, fo.ListField, fo.StringField]
        schema = dataset.get_field_schema()
        assert [type(schema[name]) for name in fields(dataset)] == kinds
        assert all("DFauLo" in schema[name].description for name in fields(dataset))
        assert "dfaulo_suspiciousness" in dataset.list_indexes()

    def test_samples_outside_the_view_have_none(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset[3:]))

        assert dataset.values("dfaulo_suspiciousness") == [None, None, None, 0.0, 0.1]
        assert len(dataset.load_brain_view(KEY)) == 2

    def test_a_slice_of_a_grouped_dataset_is_written(
        self, dataset: Any, make_results: Any
    ) -> None:
        grouped = fo.Dataset()
        samples = []
        for n, sample in enumerate(dataset):
            side = fo.Group().element("left" if n % 2 else "right")
            samples.append(fo.Sample(sample.filepath, group=side))
            samples[-1]["ground_truth"] = sample.ground_truth
        grouped.add_group_field("group", default="right")
        grouped.add_samples(samples)
        left = grouped.select_group_slices("left")

        results = make_results(left)
        write_run(results)

        assert results.vanished == []
        assert left.values("dfaulo_suspiciousness") == [0.0, 0.1]
        assert len(suspicious_view(left)) == 2
        grouped.delete()

    def test_the_callers_dataset_and_samples_show_it_at_once(
        self, dataset: Any, make_results: Any
    ) -> None:
        sample = dataset.first()

        results = make_results(dataset)
        write_run(results)

        assert sample.dfaulo_suspiciousness == 0.0
        assert dataset.list_brain_runs() == [KEY]
        assert dataset.load_brain_results(KEY) is results

    def test_the_stage_is_timed_and_reported(
        self, dataset: Any, make_results: Any
    ) -> None:
        told: list[float] = []
        results = make_results(dataset)

        write_run(results, report=told.append)

        assert told == [0.0, 0.5]
        assert results.seconds[writer.STAGE] > 0

    def test_values_that_no_schema_names_do_not_show_up_again(
        self, dataset: Any, make_results: Any
    ) -> None:
        stale = {"dfaulo_suspiciousness": 0.9, "dfaulo_verdict": "faulty"}
        dataset._sample_collection.update_many({}, {"$set": stale})

        write_run(make_results(dataset[:2]))

        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, None, None]
        assert dataset.values("dfaulo_verdict") == [None] * 5


class TestVanishedSamples:
    def test_their_results_are_dropped_and_the_others_written(
        self, dataset: Any, make_results: Any
    ) -> None:
        results = make_results(dataset)
        gone = results.ids[1]
        dataset.delete_samples([gone])

        write_run(results)

        assert results.vanished == [gone]
        assert dataset.values("dfaulo_suspiciousness") == [0.0, None, 0.2, 0.3]
        dataset.clear_cache()
        loaded = dataset.load_brain_results(KEY)
        assert loaded.vanished == [gone]
        assert loaded.suspiciousness.tolist() == [0.0, 0.2, 0.3]

    def test_if_all_are_gone_nothing_is_written(
        self, dataset: Any, make_results: Any, unchanged: Any
    ) -> None:
        results = make_results(dataset[:2])
        dataset.delete_samples(results.ids)
        check = unchanged(dataset)

        with pytest.raises(RunError, match="all 2 samples were deleted"):
            write_run(results)

        check()


class TestReplacing:
    def test_nothing_of_the_old_run_is_left(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))
        files = dataset._sample_collection.database["fs.files"]
        before = files.count_documents({})

        results = make_results(dataset[3:])
        write_run(results)

        assert dataset.list_brain_runs() == [KEY]
        assert fields(dataset) == results.config.fields
        assert list(load_config(dataset, KEY).run_fields) == results.config.fields
        assert dataset.values("dfaulo_suspiciousness") == [None, None, None, 0.0, 0.1]
        assert "dfaulo_suspiciousness" in dataset.list_indexes()
        assert not any("unfinished" in name for name in dataset.list_indexes())
        assert results.key == KEY
        assert dataset.load_brain_results(KEY) is results
        assert files.count_documents({}) == before

    def test_a_view_sorted_by_the_old_scores_will_do(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))

        write_run(make_results(suspicious_view(dataset, limit=2)))

        assert dataset.values("dfaulo_suspiciousness") == [None] * 3 + [0.0, 0.1]
        assert len(dataset.load_brain_view(KEY)) == 2

    def test_verdicts_are_kept_unless_told_otherwise(
        self, dataset: Any, make_results: Any, unchanged: Any
    ) -> None:
        write_run(make_results(dataset))
        dataset.set_values("dfaulo_verdict", ["faulty", None, None, "correct", None])
        check = unchanged(dataset)

        with pytest.raises(RunError, match="holds 2 verdicts"):
            write_run(make_results(dataset))

        check()
        write_run(make_results(dataset), overwrite=True)
        assert dataset.values("dfaulo_verdict") == [None] * 5

    def test_a_verdict_that_comes_in_while_writing_is_not_lost(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))

        def report(fraction: float) -> None:
            dataset.set_values("dfaulo_verdict", ["faulty"] + [None] * 4)

        with pytest.raises(RunError, match="holds 1 verdicts"):
            write_run(make_results(dataset), report=report)

        assert dataset.list_brain_runs() == [KEY]
        assert dataset.values("dfaulo_verdict") == ["faulty"] + [None] * 4

    def test_a_run_that_kept_old_field_names_is_replaced_with_them(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))
        dataset.set_values("new_verdict", ["mine"] * 5)
        dataset.rename_brain_run(KEY, "new")  # the field is in the way
        dataset.delete_sample_field("new_verdict")

        results = make_results(dataset, "new")
        write_run(results)

        assert sorted(fields(dataset)) == sorted(results.config.fields)
        assert results.config.fields[0] == "new_suspiciousness"


def _fail_on_call(number: int, error: BaseException) -> Callable[..., None]:
    """Stands in for a function; fails on a call and passes the others on."""
    calls = []
    original = writer.write_batch

    def write_batch(*args: Any) -> None:
        calls.append(args)
        if len(calls) == number:
            raise error
        original(*args)

    return write_batch


class TestFailures:
    @pytest.mark.parametrize("replacing", [False, True])
    @pytest.mark.parametrize(
        "error", [OSError("disk full"), KeyboardInterrupt(), Cancelled()]
    )
    def test_a_failure_while_writing_leaves_all_as_it_was(
        self,
        dataset: Any,
        make_results: Any,
        unchanged: Any,
        monkeypatch: pytest.MonkeyPatch,
        replacing: bool,
        error: BaseException,
    ) -> None:
        if replacing:
            write_run(make_results(dataset[:2]))
        check = unchanged(dataset)
        monkeypatch.setattr(writer, "write_batch", _fail_on_call(2, error))

        with pytest.raises(type(error)):
            write_run(make_results(dataset))

        check()

    def test_a_failure_of_one_of_two_requests_at_once_leaves_all_as_it_was(
        self,
        dataset: Any,
        make_results: Any,
        unchanged: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        check = unchanged(dataset)
        write_rows = rows._write_rows

        def write(*given: Any) -> None:
            if given[-1].start > 0:
                raise OSError("disk full")
            write_rows(*given)

        monkeypatch.setattr(rows, "_write_rows", write)
        with pytest.raises(OSError, match="disk full"):
            write_run(make_results(dataset))

        check()

    def test_what_the_report_raises_stops_the_write(
        self, dataset: Any, make_results: Any, unchanged: Any
    ) -> None:
        check = unchanged(dataset)

        def report(fraction: float) -> None:
            if fraction > 0:
                raise Cancelled

        with pytest.raises(Cancelled):
            write_run(make_results(dataset), report=report)

        check()

    @pytest.mark.parametrize("step", ["drop_values", "move_values", "rename_brain_run"])
    @pytest.mark.parametrize("after", [False, True])
    def test_a_failure_while_taking_the_old_runs_place_is_met_by_finishing(
        self,
        dataset: Any,
        make_results: Any,
        monkeypatch: pytest.MonkeyPatch,
        step: str,
        after: bool,
    ) -> None:
        write_run(make_results(dataset[:2]))
        owner: Any = fo.Dataset if hasattr(fo.Dataset, step) else brain_run
        original = getattr(owner, step)
        failed = []

        def fail_once(*args: Any) -> None:
            if after or failed:
                original(*args)
            if not failed:
                failed.append(True)
                raise KeyboardInterrupt

        monkeypatch.setattr(owner, step, fail_once)
        results = make_results(dataset)
        with pytest.raises(KeyboardInterrupt):
            write_run(results)

        dataset.reload()
        assert dataset.list_brain_runs() == [KEY]
        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, 0.2, 0.3]
        assert fields(dataset) == list(load_config(dataset, KEY).run_fields)

    def test_a_lasting_failure_while_taking_its_place_is_told_and_loses_nothing(
        self, dataset: Any, make_results: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_run(make_results(dataset[:2]))

        def fail(storage: Any, moves: dict[str, str]) -> None:
            raise OSError("no connection")

        with monkeypatch.context() as patch:
            patch.setattr(brain_run, "move_values", fail)
            with pytest.raises(OSError, match="no connection"):
                write_run(make_results(dataset))

        assert len(suspicious_view(dataset, "dfaulo_unfinished")) == 4
        dataset.rename_brain_run("dfaulo_unfinished", KEY)
        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, 0.2, 0.3]

    def test_two_runs_under_one_key_do_not_mix(
        self, dataset: Any, make_results: Any
    ) -> None:
        first, second = make_results(dataset), make_results(dataset[:2])

        def report(fraction: float) -> None:
            if fraction > 0:  # the second run starts and ends meanwhile
                write_run(second)

        with pytest.raises(RunError, match="replaced or deleted while it was written"):
            write_run(first, report=report)

        assert dataset.list_brain_runs() == [KEY]
        assert dataset.load_brain_results(KEY) is second
        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, None, None]


DIE = """
import os, signal, sys
import fiftyone as fo
import numpy as np
from fiftyone_dfaulo.adapter.runs import brain_run, writer
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.config import Settings

dataset = fo.load_dataset(sys.argv[1])
writer.BATCH = 2
call, where = int(sys.argv[2]), sys.argv[3]
owner = brain_run if hasattr(brain_run, where) else writer
original = getattr(owner, where)

def die(*args, **kwargs):
    global call
    original(*args, **kwargs)
    call -= 1
    if not call:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, where, die)
ids = dataset.values("id")
results = SingleLabelResults(
    dataset,
    DFauLoConfig("ground_truth", Settings().to_dict()),
    "dfaulo",
    ids=ids,
    labels=np.zeros(len(ids), np.int64),
    classes=["a", "b"],
    suspiciousness=np.full(len(ids), 0.7),
    suggestions=np.ones(len(ids), np.int64),
    confidence=np.ones(len(ids), np.float32),
    reasons=np.zeros((len(ids), 1), bool),
    reason_names=["why"],
    signals=np.zeros((len(ids), 1), np.float32),
    signal_names=["one"],
)
writer.write_run(results)
"""


class TestAProcessThatDies:
    def test_while_writing_leaves_a_run_that_can_be_deleted(
        self, dataset: Any, unchanged: Any
    ) -> None:
        dataset.persistent = True
        check = unchanged(dataset)

        process = run_forked(DIE, dataset.name, "2", "write_batch")

        assert process.returncode == -9, process.stderr
        dataset.reload()
        assert dataset.list_brain_runs() == [KEY]
        assert dataset.values("dfaulo_suspiciousness").count(0.7) == 4
        with pytest.raises(RunError, match="interrupted"):
            suspicious_view(dataset)
        dataset.delete_brain_run(KEY)
        check()

    def test_while_replacing_leaves_the_old_run_as_it_was(
        self, dataset: Any, make_results: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_run(make_results(dataset))
        with monkeypatch.context() as patch:
            patch.setattr(writer, "write_batch", _fail_on_call(2, OSError("dead")))
            patch.setattr(writer, "_discard", lambda *_: None)
            with pytest.raises(OSError, match="dead"):
                write_run(make_results(dataset))

        assert dataset.list_brain_runs() == [KEY, "dfaulo_unfinished"]
        assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, 0.2, 0.3]
        assert len(suspicious_view(dataset)) == 4
        _assert_next_run_clears_away(dataset, make_results)

    def test_while_taking_the_old_runs_place_leaves_what_the_next_run_clears_away(
        self, dataset: Any, make_results: Any
    ) -> None:
        write_run(make_results(dataset))
        dataset.persistent = True

        process = run_forked(DIE, dataset.name, "1", "move_values")

        assert process.returncode == -9, process.stderr
        dataset.reload()
        _assert_next_run_clears_away(dataset, make_results)


def _assert_next_run_clears_away(dataset: Any, make_results: Any) -> None:
    write_run(make_results(dataset[:2]))

    assert dataset.list_brain_runs() == [KEY]
    assert fields(dataset) == list(load_config(dataset, KEY).run_fields)
    assert dataset.values("dfaulo_suspiciousness") == [0.0, 0.1, None, None, None]
    assert not any("unfinished" in name for name in dataset.list_indexes())
