"""Several tags a sample: which are wrong, which are missing, and their review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import torch
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import (
    InputError,
    Preprocessing,
    apply_suggestions,
    compute_suspiciousness,
    estimate_quality,
    evaluate_ranking,
    export_review,
    inject_faults,
    preview_corrections,
    record_verdicts,
    revert_suggestions,
    review_status,
    save_gallery,
    suspicious_view,
    tag_suspicious,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.results.multi_label import MultiLabelResults
from tests.adapter.process import last_json, run_python
from tests.tagged import as_tags, build_pairs, draw_pairs

COUNT = 90
SETS = ("a", "b", "c", "ab", "bc", "")
FAULTS = [0, 1, 2, 6, 7, 8, 12, 13, 14]
OWN = (
    "suspiciousness",
    "suggestion",
    "reasons",
    "verdict",
    "missing",
)


@pytest.fixture
def plain(make_dataset: Any) -> Any:
    """90 samples with tags a, b and c, embeddings ``emb``, and one without a list.

    Of samples 0, 1 and 2 the first lacks its b, the second has a c too many, the third
    has an a for its c; likewise 6 to 8 and 12 to 14. The last one has no list of tags.
    """
    truth = [SETS[n % len(SETS)] for n in range(COUNT)]
    given = list(truth)
    assert truth[:3] == ["a", "b", "c"]
    for first in (0, 6, 12):
        truth[first], given[first + 1], given[first + 2] = "ab", "bc", "a"
    dataset = make_dataset([None] * (COUNT + 1))
    dataset.set_values("gt", [*map(as_tags, given), None])
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(COUNT + 1, 12))
    vectors[:COUNT] += [
        [8.0 * (tag in some) for tag in "aaaabbbbcccc"] for some in truth
    ]
    dataset.set_values("emb", list(vectors))
    return dataset


@pytest.fixture
def dataset(plain: Any) -> Any:
    """As ``plain``, with a run under the key ``dfaulo``."""
    compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
    return plain


def raw(dataset: Any) -> list[bytes]:
    """The tags as the bytes that the database holds."""
    codec = CodecOptions(document_class=RawBSONDocument)
    samples = dataset._sample_collection.with_options(codec_options=codec)
    found = samples.find({"gt": {"$ne": None}}).sort("_id", 1)
    return [document["gt"].raw for document in found]


def own_paths(dataset: Any, key: str) -> set[str]:
    """What of a run is in the schema, and in the samples."""
    dataset.reload()
    text = str(list(dataset._sample_collection.find()))
    paths = {n for n in dataset.get_field_schema(flat=True) if f"{key}_" in n}
    return paths | ({"values"} if f"{key}_" in text else set())


def labels(sample: Any, field: str = "gt") -> list[str]:
    return [tag.label for tag in sample[field].classifications]


class TestScores:
    def test_wrong_and_missing_tags_are_on_top_with_what_to_do(
        self, dataset: Any
    ) -> None:
        ids = dataset.values("id")
        worst = suspicious_view(dataset, min_suspiciousness=0.5)
        assert set(worst.values("id")) == {ids[n] for n in FAULTS}
        suggestions = dataset.values("dfaulo_suggestion.label")
        assert suggestions[:3] == ["add b", "remove c", "remove a, add c"]
        assert {suggestions[n] for n in range(COUNT) if n not in FAULTS} == {None}
        assert dataset.values("dfaulo_reasons")[:3] == [
            ["tag looks missing"],
            ["tag looks wrong"],
            ["tag looks wrong", "tag looks missing"],
        ]

    def test_missing_tags_have_a_field_and_given_ones_attributes(
        self, dataset: Any
    ) -> None:
        missing = dataset.values("dfaulo_missing.classifications.label")
        assert missing[:3] == [["b"], None, ["c"]]
        assert {n for n, some in enumerate(missing) if some} == {0, 2, 6, 8, 12, 14}
        first = dataset.skip(1).first().gt.classifications
        assert [tag.label for tag in first] == ["b", "c"]
        assert first[0].dfaulo_suspiciousness < 0.5 < first[1].dfaulo_suspiciousness
        assert [tag.dfaulo_reasons for tag in first] == [[], ["tag looks wrong"]]

    def test_a_sample_has_the_maximum_of_given_and_missing_tags(
        self, dataset: Any
    ) -> None:
        results = dataset.load_brain_results("dfaulo")
        given = dataset.values("gt.classifications.dfaulo_suspiciousness")
        missing = dataset.values("dfaulo_missing.classifications.confidence")
        for row, score in enumerate(dataset.values("dfaulo_suspiciousness")[:COUNT]):
            assert score == results.signals[row].max()
            told = [*given[row], *(missing[row] or [])]
            assert score == max(told, default=0) or score < 0.5
        assert results.suspiciousness.tolist() == results.signals.max(1).tolist()

    def test_a_sample_without_a_list_is_unlabeled_and_an_empty_one_is_not(
        self, dataset: Any
    ) -> None:
        ids = dataset.values("id")
        results = dataset.load_brain_results("dfaulo")
        assert results.unlabeled == [ids[-1]]
        assert results.ids == ids[:-1]
        assert dataset.last().dfaulo_suspiciousness is None
        assert dataset.last().gt is None

    def test_results_come_back_as_they_were(self, plain: Any) -> None:
        made = compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        loaded = plain.load_brain_results("dfaulo", cache=False)
        assert isinstance(loaded, MultiLabelResults)
        assert loaded is not made
        for name in MultiLabelResults._arrays:
            np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
        assert loaded.changes() == made.changes()
        assert loaded.classes == ["a", "b", "c"]
        assert str(loaded) == str(made)
        assert f"about {round(made.estimate().count)} of them" in str(loaded)
        assert "look wrong: 6. Tags that look missing: 6." in str(loaded)

    def test_an_array_and_a_view_give_the_same_scores(self, plain: Any) -> None:
        array = np.array([*plain.values("emb")])
        first = compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        view = plain.sort_by("filepath", reverse=True)
        second = compute_suspiciousness(
            view, "gt", embeddings=array[::-1], brain_key="second", progress=False
        )
        assert second.ids == first.ids
        assert second.signals.tolist() == first.signals.tolist()

    def test_samples_without_an_embedding_are_left_out(self, plain: Any) -> None:
        third = plain.skip(2).first()
        third["emb"] = None
        third.save()
        results = compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        assert list(results.unreadable) == [third.id]
        plain.reload()
        assert plain[third.id].dfaulo_suspiciousness is None
        assert "dfaulo_suspiciousness" not in plain[third.id].gt.classifications[0]

    def test_nothing_to_compare_among_those_with_an_embedding(
        self, plain: Any, unchanged: Any
    ) -> None:
        vectors = plain.values("emb")
        kept = {3: vectors[3], 9: vectors[9]}  # both have a and b
        plain.set_values("emb", [kept.get(n) for n in range(COUNT + 1)])
        check = unchanged(plain)
        with pytest.raises(InputError, match="88 of 90 .* no class is left that some"):
            compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        check()


class TestSources:
    def test_a_network_trained_here_finds_real_faults(self, tmp_path: Path) -> None:
        pairs = draw_pairs(600, 60)
        dataset = build_pairs(tmp_path / "pairs", pairs)
        results = compute_suspiciousness(dataset, "digits", progress=False)
        scores, given = results.signals, pairs.given
        for some in (given, ~given):
            found = average_precision_score(pairs.wrong[some], scores[some])
            assert found > 0.85
        assert 30 <= results.estimate().count <= 90
        told = evaluate_ranking(dataset, fault_field="fault")
        assert told["AP"] > 0.85
        dataset.delete()

    def test_a_model_gives_the_embeddings(self, plain: Any) -> None:
        class Rows(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = torch.nn.Linear(8, 4)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.head(x.mean((1, 3)))

        results = compute_suspiciousness(
            plain,
            "gt",
            model=Rows(),
            preprocessing=Preprocessing(size=8, mean=0, std=1, mode="RGB"),
            progress=False,
        )
        assert results.signals.shape == (COUNT, 3)
        assert not any("4 logits" in note for note in results.notes)


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"predictions": "other"}, "predictions='other'"),
            ({"classes": ["a", "b"], "model": "resnet18"}, "classes="),
            ({"out_of_sample": True, "model": "resnet18"}, "out_of_sample=True"),
            ({"depth": "full"}, "depth='full'"),
            ({"method": "paper"}, "method='paper'"),
        ],
    )
    def test_what_makes_no_sense_for_tags(
        self, plain: Any, unchanged: Any, arguments: dict[str, Any], said: str
    ) -> None:
        check = unchanged(plain)
        with pytest.raises(InputError, match=f"{said}.*'gt' holds several labels"):
            compute_suspiciousness(plain, "gt", progress=False, **arguments)
        check()

    def test_tags_that_all_samples_share(self, plain: Any) -> None:
        plain.set_values("gt", [as_tags("ab") for _ in range(COUNT + 1)])
        with pytest.raises(InputError, match="the same labels in 'gt': a, b; expected"):
            compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)

    def test_a_field_without_any_list(self, plain: Any) -> None:
        plain.clear_sample_field("gt")
        with pytest.raises(InputError, match="none of the 91 samples has a label"):
            compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)

    @pytest.mark.parametrize("path", ["gt", "gt.classifications"])
    def test_a_field_that_cannot_be_written(
        self, plain: Any, unchanged: Any, path: str
    ) -> None:
        field = plain.get_field(path)
        field.read_only = True
        field.save()
        check = unchanged(plain)
        with pytest.raises(InputError, match="label_field='gt' is read-only"):
            compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        check()

    def test_planting_faults(self, plain: Any, unchanged: Any) -> None:
        check = unchanged(plain)
        for act in (inject_faults, estimate_quality):
            with pytest.raises(InputError, match="'gt' is a Classifications field"):
                act(plain, "gt")
        check()

    def test_evaluating_by_labels_or_setting_one_class(self, dataset: Any) -> None:
        dataset.set_values("truth", ["a"] * (COUNT + 1))
        with pytest.raises(InputError, match="pass a boolean field"):
            evaluate_ranking(dataset, fault_field="truth")
        with pytest.raises(InputError, match="label='a' is one class, and 'gt' holds"):
            apply_suggestions(dataset, ids=dataset.first().id, label="a")

    def test_pairs_of_such_a_run(self, dataset: Any) -> None:
        dataset.set_values("other", [fo.Classification(label=x) for x in "ab" * 45])
        with pytest.raises(InputError, match="'dfaulo' has scored several labels"):
            inject_faults(dataset, "other", kind="pair", pairs="dfaulo")

    def test_fields_of_the_run_are_no_labels(self, dataset: Any) -> None:
        with pytest.raises(InputError, match="is written by the DFauLo run 'dfaulo'"):
            compute_suspiciousness(dataset, "dfaulo_missing", brain_key="again")


class TestReview:
    def test_verdicts_are_on_samples_and_are_learned_from(self, dataset: Any) -> None:
        ids, before = dataset.values("id"), dataset.values("dfaulo_suspiciousness")
        said = record_verdicts(dataset, faulty=ids[5], correct=ids[:2])
        assert said == {"faulty": 1, "correct": 2, "cleared": 0, "unchanged": 0}
        update_suspiciousness(dataset)
        scores = dataset.values("dfaulo_suspiciousness")
        assert (scores[5], *scores[:2]) == (1, 0, 0)
        status = review_status(dataset)
        assert (status.scored, status.found, status.stale) == (COUNT, 1, 0)
        record_verdicts(dataset, cleared=[ids[5], *ids[:2]])
        update_suspiciousness(dataset)
        assert dataset.values("dfaulo_suspiciousness") == before

    def test_corrections_are_applied_and_undone_byte_for_byte(
        self, dataset: Any
    ) -> None:
        ids, before = dataset.values("id"), raw(dataset)
        record_verdicts(dataset, faulty=ids[:4])
        done = apply_suggestions(dataset)
        assert (done.applied, done.skipped) == (3, {ids[3]: "it has no suggestion"})
        assert [labels(dataset[one]) for one in ids[:3]] == [["a", "b"], ["b"], ["c"]]
        assert dataset[ids[0]].gt.classifications[1].tags == ["corrected"]
        assert raw(dataset)[3:] == before[3:]
        again = apply_suggestions(dataset, ids=ids[0])
        assert "corrected already" in again.skipped[ids[0]]
        status = review_status(dataset)
        assert (status.corrected, status.stale) == (3, 0)

        undone = revert_suggestions(dataset)
        assert (undone.reverted, undone.edited) == (3, [])
        assert raw(dataset) == before
        assert review_status(dataset).corrected == 0

    def test_corrections_are_told_in_groups_and_one_can_be_left(
        self, dataset: Any
    ) -> None:
        record_verdicts(dataset, faulty=dataset.values("id")[:4])
        groups = preview_corrections(dataset).groups
        assert [group.given for group in groups] == [None] * len(groups)
        assert [g.looks_like for g in groups if g.new != g.looks_like] == []
        assert sum(len(g.ids) for g in groups if g.new is not None) == 3
        assert groups[-1].reason == "it has no suggestion"
        done = apply_suggestions(dataset, classes={groups[0].pair: None})
        assert done.applied == 3 - len(groups[0].ids)
        assert preview_corrections(dataset, ids=groups[0].ids).groups[0] == groups[0]

    def test_tags_edited_since_are_left_alone(self, dataset: Any) -> None:
        ids = dataset.values("id")
        apply_suggestions(dataset, ids=ids[:3])
        sample = dataset[ids[1]]
        sample.gt.classifications = []
        sample.save()
        other = dataset[ids[0]]
        other.gt.classifications[0].confidence = None  # FiftyOne may add empty ones
        other.save()
        assert review_status(dataset).stale_ids == [ids[1]]
        undone = revert_suggestions(dataset)
        assert (undone.reverted, undone.edited) == (2, [ids[1]])
        assert labels(dataset[ids[1]]) == []
        assert labels(dataset[ids[2]]) == ["a"]

    def test_a_label_tag_added_since_is_no_edit_and_stays(self, dataset: Any) -> None:
        one = dataset.first().id
        apply_suggestions(dataset, ids=one)
        dataset.select(one).tag_labels("checked", label_fields="gt")
        assert review_status(dataset).stale == 0
        assert revert_suggestions(dataset).reverted == 1
        assert "checked" in dataset[one].gt.classifications[0].tags

    def test_tags_that_are_as_suggested_by_now_are_passed_over(
        self, dataset: Any
    ) -> None:
        sample = dataset.first()
        sample.gt = as_tags("ba")
        sample.save()
        done = apply_suggestions(dataset, ids=sample.id)
        assert done.skipped == {sample.id: "its labels are as suggested already"}
        assert review_status(dataset).stale_ids == [sample.id]

    def test_a_copy_of_a_corrected_sample_is_left_alone(self, dataset: Any) -> None:
        one = dataset.first().id
        apply_suggestions(dataset, ids=one)
        copied = dataset.add_sample(dataset[one].copy())
        assert review_status(dataset).corrected == 1  # the copy is not of the run
        undone = revert_suggestions(dataset)
        assert (undone.reverted, undone.edited) == (1, [copied])

    def test_the_order_of_tags_is_no_edit(self, dataset: Any) -> None:
        sample = dataset.skip(3).first()
        assert labels(sample) == ["a", "b"]
        sample.gt.classifications = sample.gt.classifications[::-1]
        sample.save()
        assert review_status(dataset).stale == 0

    def test_samples_are_tagged_exported_and_drawn(
        self, dataset: Any, tmp_path: Path
    ) -> None:
        ids = dataset.values("id")
        assert tag_suspicious(dataset, min_suspiciousness=0.5) == len(FAULTS)
        tagged = dataset.match_tags("relabel").values("id")
        assert tagged == [ids[n] for n in FAULTS]
        record_verdicts(dataset, faulty=ids[2], correct=ids[5])
        assert export_review(dataset, tmp_path / "review.json") == 2
        rows = json.loads((tmp_path / "review.json").read_text())
        assert [row["label"] for row in rows] == ["a", ""]
        assert [row["suggestion"] for row in rows] == ["remove a, add c", None]
        save_gallery(dataset, path=tmp_path / "gallery.png", top=3)
        assert (tmp_path / "gallery.png").stat().st_size > 1000

    def test_a_ranking_is_compared_with_a_boolean_field(self, dataset: Any) -> None:
        dataset.set_values("fault", [n in FAULTS for n in range(COUNT + 1)])
        told = evaluate_ranking(dataset, fault_field="fault")
        assert (told["faults"], told["AP"]) == (len(FAULTS), 1.0)


class TestRun:
    def test_deleting_it_takes_all_of_it_away(self, plain: Any, unchanged: Any) -> None:
        check = unchanged(plain)
        compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        record_verdicts(plain, faulty=plain.first().id)
        plain.delete_brain_run("dfaulo")
        check()

    def test_renaming_it_takes_all_of_it_along(self, dataset: Any) -> None:
        scores = dataset.values("gt.classifications.dfaulo_suspiciousness")
        dataset.rename_brain_run("dfaulo", "new")
        assert own_paths(dataset, "dfaulo") == set()
        assert {f"new_{part}" for part in OWN} <= own_paths(dataset, "new")
        assert dataset.values("gt.classifications.new_suspiciousness") == scores
        assert len(suspicious_view(dataset, "new", min_suspiciousness=0.5)) == 9
        dataset.delete_brain_run("new")
        assert own_paths(dataset, "new") == set()

    def test_a_correction_outlives_a_new_name(self, dataset: Any) -> None:
        tags = dataset.values("gt.classifications.label")
        scores = dataset.values("gt.classifications.dfaulo_suspiciousness")
        apply_suggestions(dataset, ids=dataset.values("id")[:3])
        dataset.rename_brain_run("dfaulo", "new")
        assert revert_suggestions(dataset, "new").reverted == 3
        assert dataset.values("gt.classifications.label") == tags
        assert dataset.values("gt.classifications.new_suspiciousness") == scores
        assert own_paths(dataset, "dfaulo") == set()

    def test_another_run_on_the_tags_is_kept_apart(self, dataset: Any) -> None:
        def run() -> None:
            compute_suspiciousness(
                dataset, "gt", embeddings="emb", brain_key="second", progress=False
            )

        run()
        before = raw(dataset)
        apply_suggestions(dataset, ids=dataset.values("id")[:3])
        assert review_status(dataset).stale == 0
        assert revert_suggestions(dataset).reverted == 3
        assert raw(dataset) == before
        apply_suggestions(dataset, ids=dataset.values("id")[:3])
        dataset.delete_brain_run("second")
        assert revert_suggestions(dataset).reverted == 3
        assert own_paths(dataset, "second") == set()
        run()

    def test_a_clone_goes_on_by_itself(self, dataset: Any) -> None:
        ids = dataset.values("id")
        record_verdicts(dataset, faulty=ids[:3])
        clone = dataset.clone()
        dataset.delete_brain_run("dfaulo")
        before = raw(clone)
        assert apply_suggestions(clone).applied == 3
        assert labels(clone[clone.values("id")[2]]) == ["c"]
        assert review_status(clone).corrected == 3
        assert revert_suggestions(clone).reverted == 3
        assert raw(clone) == before
        update_suspiciousness(clone)
        clone.delete_brain_run("dfaulo")
        assert own_paths(clone, "dfaulo") == set()
        clone.delete()

    def test_values_that_a_dead_process_left_do_not_come_back(self, plain: Any) -> None:
        left = {"_cls": "Classifications", "classifications": []}
        plain._sample_collection.update_many({}, {"$set": {"dfaulo_missing": left}})
        compute_suspiciousness(plain.limit(30), "gt", embeddings="emb", progress=False)
        assert plain.skip(30).values("dfaulo_missing") == [None] * (COUNT - 29)

    def test_an_interrupted_write_leaves_nothing(
        self, plain: Any, unchanged: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = unchanged(plain)
        save: Callable[..., Any] = MultiLabelResults.serialize

        def fail(self: Any, *args: Any, **kwargs: Any) -> Any:
            save(self, *args, **kwargs)
            raise OSError("disk full")

        monkeypatch.setattr(MultiLabelResults, "serialize", fail)
        with pytest.raises(OSError, match="disk full"):
            compute_suspiciousness(plain, "gt", embeddings="emb", progress=False)
        check()

    def test_a_process_that_never_loaded_the_package_does_all_of_it(
        self, dataset: Any
    ) -> None:
        dataset.persistent = True
        found = last_json(
            run_python(
                """
                import json, sys
                import fiftyone as fo

                dataset = fo.load_dataset(sys.argv[1])
                results = dataset.load_brain_results("dfaulo")
                dataset.rename_brain_run("dfaulo", "new")
                dataset.delete_brain_run("new")
                print(json.dumps([type(results).__name__, results.classes]))
                """,
                dataset.name,
            )
        )
        assert found == ["MultiLabelResults", ["a", "b", "c"]]
        assert own_paths(dataset, "dfaulo") | own_paths(dataset, "new") == set()
