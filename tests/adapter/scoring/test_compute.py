"""A whole run, from a dataset to its suspicious samples, with the real engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.scoring import results as scoring_results
from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness, run
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import Cancelled, DFauLoError, InputError, RunError

FAULTS = (0, 21, 42)
STAGES = [
    "Reading labels",
    "Reading embeddings",
    "Scoring with mutants",
    "Writing results",
]


class TestWithEmbeddings:
    def test_the_faults_come_first_with_their_true_class_as_suggestion(
        self, clusters: Any
    ) -> None:
        results = compute_suspiciousness(clusters, embeddings="emb")

        first = suspicious_view(clusters, limit=3)
        ids = clusters.values("id")
        assert set(first.values("id")) == {ids[n] for n in FAULTS}
        truth = first.values("truth")
        assert first.values("dfaulo_suggestion.label") == truth
        scores = clusters.values("dfaulo_suspiciousness")
        assert scores == results.suspiciousness.tolist()
        assert 0 <= min(scores) <= max(scores) <= 1
        assert results.summary()["scored"] == 60

    def test_field_array_and_brain_run_give_the_same_scores(
        self, clusters: Any
    ) -> None:
        array = np.stack(clusters.values("emb"))
        fob.compute_similarity(clusters, embeddings=array, brain_key="sim")

        runs = {
            key: compute_suspiciousness(clusters, brain_key=key, embeddings=source)
            for key, source in {"f": "emb", "a": array, "r": "sim"}.items()
        }

        scores = runs["f"].suspiciousness.tolist()
        assert runs["a"].suspiciousness.tolist() == scores
        assert runs["r"].suspiciousness.tolist() == scores
        kept = [runs[key].config.embeddings for key in "far"]
        assert kept == ["emb", "array", "sim"]

    def test_the_order_of_a_view_does_not_change_the_scores(
        self, clusters: Any
    ) -> None:
        view = clusters.sort_by("filepath", reverse=True)

        results = compute_suspiciousness(view, embeddings="emb")
        compute_suspiciousness(clusters, embeddings="emb", brain_key="unsorted")

        fields = ["id", "dfaulo_suspiciousness", "unsorted_suspiciousness"]
        ids, scores, unsorted = clusters.values(fields)
        assert scores == unsorted
        assert dict(zip(ids, scores)) == dict(
            zip(results.ids, results.suspiciousness.tolist())
        )

    def test_samples_without_an_embedding_or_a_label_are_left_out_and_named(
        self, clusters: Any
    ) -> None:
        ids = clusters.values("id")
        clusters.set_values("emb", {ids[5]: None}, key_field="id")
        clusters.set_values("ground_truth", {ids[7]: None}, key_field="id")

        results = compute_suspiciousness(clusters, embeddings="emb")

        assert results.unreadable == {ids[5]: "no embedding"}
        assert results.unlabeled == [ids[7]]
        scores = dict(zip(ids, clusters.values("dfaulo_suspiciousness")))
        assert [i for i in ids if scores[i] is None] == [ids[5], ids[7]]

    def test_classes_of_which_nothing_could_be_read_are_dropped(
        self, clusters: Any
    ) -> None:
        of_a = clusters.match(fo.ViewField("ground_truth.label") == "a").values("id")
        clusters.set_values("emb", dict.fromkeys(of_a), key_field="id")

        results = compute_suspiciousness(clusters, embeddings="emb")

        assert results.classes == ["b", "c"]
        assert set(results.labels.tolist()) == {0, 1}
        shown = clusters.exclude(of_a)
        given = shown.values("ground_truth.label")
        assert [results.classes[n] for n in results.labels] == given

    def test_a_class_with_one_sample_is_scored(self, clusters: Any) -> None:
        sample = clusters.first()
        sample.ground_truth = fo.Classification(label="rare")
        sample.save()

        results = compute_suspiciousness(clusters, embeddings="emb")

        assert len(results.ids) == 60
        assert any("rare" in note or "one sample" in note for note in results.notes)

    def test_a_sample_deleted_meanwhile_is_dropped(self, clusters: Any) -> None:
        gone = clusters.first().id

        def report(stage: str, fraction: float) -> None:
            if stage == "Scoring with mutants" and gone in clusters:
                clusters.delete_samples([gone])

        results = run(_request(clusters, embeddings="emb"), report)

        assert results.vanished == [gone]
        assert clusters.count("dfaulo_suspiciousness") == 59

    def test_the_config_says_how_the_scores_came_about(self, clusters: Any) -> None:
        compute_suspiciousness(clusters, embeddings="emb", seed=7, batch_size=32)

        clusters.reload()
        config = clusters.get_brain_info("dfaulo").config
        assert config.label_field == "ground_truth"
        assert config.embeddings == "emb"
        assert config.seed == 7
        expected = Settings(seed=7, batch_size=32)
        assert Settings.from_dict(config.settings) == expected
        assert set(config.versions) >= {"fiftyone_dfaulo", "fiftyone", "torch"}
        assert all(config.versions.values())


DEFAULTS = Settings()


def _request(samples: Any, settings: Settings = DEFAULTS, **more: Any) -> Request:
    return Request(samples, "ground_truth", settings, **more)


class TestWithImages:
    def test_the_network_trained_here_scores_what_can_be_read(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(["a", "b"] * 20 + [None])
        ids, paths = dataset.values(["id", "filepath"])
        os.remove(paths[3])
        Path(paths[4]).write_bytes(b"")
        Path(paths[5]).write_bytes(Path(paths[5]).read_bytes()[:60])
        folder = Path(paths[0]).parent
        before = sorted(folder.iterdir())
        told: list[tuple[str, float]] = []

        request = _request(dataset, Settings(epochs=2))
        results = run(request, lambda *state: told.append(state))

        assert set(results.unreadable) == {ids[n] for n in (3, 4, 5)}
        assert all(results.unreadable.values())
        assert results.unlabeled == [ids[40]]
        assert dataset.count("dfaulo_suspiciousness") == 37
        assert sorted(folder.iterdir()) == before
        assert list(dict.fromkeys(stage for stage, _ in told)) == [
            "Reading labels",
            "Decoding images",
            "Training the network",
            "Embedding by the network",
            "Scoring with mutants",
            "Writing results",
        ]
        assert set(results.seconds) == {stage for stage, _ in told}
        fractions = [fraction for _, fraction in told]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0

    def test_near_duplicates_with_different_labels_are_named(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(["a", "b"] * 20)
        ids, paths = dataset.values(["id", "filepath"])
        for copy in (7, 8):
            Path(paths[copy]).write_bytes(Path(paths[2]).read_bytes())

        results = compute_suspiciousness(dataset, epochs=2)

        pairs = results.near_duplicates
        assert set(pairs) == {ids[2], ids[7], ids[8]}
        # the samples 2 and 8 have one label
        assert pairs[ids[2]] == pairs[ids[8]] == ids[7]
        assert pairs[ids[7]] in (ids[2], ids[8])
        loaded = fo.load_dataset(dataset.name).load_brain_results("dfaulo", cache=False)
        assert loaded.near_duplicates == pairs

    def test_the_papers_method_scores_too(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"] * 10)
        paths = dataset.values("filepath")
        Path(paths[7]).write_bytes(Path(paths[2]).read_bytes())

        results = compute_suspiciousness(dataset, method="paper", epochs=1)

        assert results.near_duplicates == {}  # it does not look for them

        assert dataset.count("dfaulo_suspiciousness") == 20
        assert dataset.list_brain_runs(method="paper") == ["dfaulo"]

    def test_if_no_image_can_be_read_nothing_is_written(
        self, make_dataset: Any, unchanged: Any
    ) -> None:
        dataset = make_dataset(["a", "b"])
        for path in dataset.values("filepath"):
            os.remove(path)
        check = unchanged(dataset)

        with pytest.raises(InputError, match="2 of 2 labelled .* 0 of 2 classes"):
            compute_suspiciousness(dataset)

        check()


@pytest.fixture(scope="module")
def crowded(shared_clusters: Any, make_results: Any) -> Any:
    """``clusters`` with all that can be in the way of a run."""
    dataset = shared_clusters
    dataset.set_values("single", [fo.Classification(label="x")] * 60)
    dataset.add_sample_field(
        "empty", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    dataset.add_sample_field("holes", fo.VectorField)
    dataset.set_values("mine_verdict", ["mine"] * 60)
    fob.compute_similarity(dataset, embeddings="emb", brain_key="sim")
    write_run(make_results(dataset, "judged"))
    dataset.set_values("judged_verdict", ["faulty"] + [None] * 59)
    return dataset


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"label_field": "missing"}, InputError, "no label_field='missing'"),
            ({"label_field": "truth"}, InputError, "is a StringField"),
            ({"label_field": "single"}, InputError, "at least two classes"),
            ({"label_field": "empty"}, InputError, "none of the 60 samples has a lab"),
            ({"brain_key": "no key"}, RunError, "cannot be used"),
            ({"brain_key": "sim"}, RunError, "taken by a brain run"),
            ({"brain_key": "mine"}, RunError, "would overwrite the fields mine_verdi"),
            ({"brain_key": "judged"}, RunError, "holds 1 verdicts"),
            ({"embeddings": "missing"}, InputError, "neither a field"),
            ({"embeddings": "truth"}, InputError, "is a StringField"),
            ({"embeddings": np.zeros((59, 2))}, InputError, r"shape \(59, 2\)"),
            ({"embeddings": np.full((60, 2), np.nan)}, InputError, "NaN"),
            ({"embeddings": "holes"}, InputError, "no embedding for any"),
            ({"method": "magic"}, InputError, "method='magic'"),
            ({"method": "paper"}, InputError, "cannot be combined with method='paper'"),
            ({"depth": "full"}, InputError, "cannot be combined with depth='full'"),
            ({"embeddings": ["emb", "no"]}, InputError, "'no' is neither a field"),
            ({"embeddings": []}, InputError, "expected numbers of shape"),
            ({"train": 1}, InputError, "train=1"),
            ({"predictions": "no"}, InputError, "no"),
            (
                {"embeddings": None, "train": True, "depth": "full"},
                InputError,
                "trains the only network again",
            ),
            ({"embeddings": None, "model": "nonet"}, InputError, "model='nonet'"),
            ({"device": "toaster"}, InputError, "device='toaster'"),
            ({"image_size": 4}, InputError, "image_size=4"),
            ({"seed": -1}, InputError, "seed=-1"),
            ({"epoch": 3}, InputError, "no argument 'epoch'; did you mean 'epochs'"),
            ({"embeddins": "emb"}, InputError, "did you mean 'embeddings'"),
            ({"xyz": 1}, InputError, r"'xyz'; see help\(compute_suspiciousness\)"),
        ],
    )
    def test_it_is_refused_before_anything_is_computed(
        self,
        crowded: Any,
        unchanged: Any,
        monkeypatch: pytest.MonkeyPatch,
        arguments: dict[str, Any],
        error: type[DFauLoError],
        message: str,
    ) -> None:
        check = unchanged(crowded)
        for name in (
            "method.ensemble.fit_ensemble",
            "images.batches.decode_images",
            "network.training.train_network",
        ):
            monkeypatch.setattr(f"fiftyone_dfaulo.engine.{name}", _never)

        with pytest.raises(error, match=message):
            compute_suspiciousness(crowded, **{"embeddings": "emb", **arguments})

        check()

    def test_an_empty_view_is_refused(self, crowded: Any, unchanged: Any) -> None:
        check = unchanged(crowded)

        with pytest.raises(InputError, match="the view is empty"):
            compute_suspiciousness(crowded.match_tags("none"), embeddings="emb")

        check()

    def test_it_is_refused_without_drawing_a_bar(
        self, crowded: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(InputError):
            compute_suspiciousness(crowded, "missing", progress=True)

        assert capsys.readouterr().out == ""

    def test_a_replaced_run_may_be_told_to_drop_its_verdicts(
        self, clusters: Any, make_results: Any
    ) -> None:
        write_run(make_results(clusters))
        clusters.set_values("dfaulo_verdict", ["faulty"] + [None] * 59)

        compute_suspiciousness(clusters, embeddings="emb", overwrite=True)

        assert clusters.count("dfaulo_verdict") == 0


def _never(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("this must not be reached")


class TestStopping:
    @pytest.mark.parametrize("stage", STAGES)
    def test_a_run_that_is_cancelled_leaves_the_dataset_as_it_was(
        self, shared_clusters: Any, unchanged: Any, stage: str
    ) -> None:
        check = unchanged(shared_clusters)

        def report(now: str, fraction: float) -> None:
            if now == stage:
                raise Cancelled

        with pytest.raises(Cancelled):
            run(_request(shared_clusters, embeddings="emb"), report)

        check()

    def test_to_cancel_after_all_is_written_is_too_late(self, clusters: Any) -> None:
        def report(stage: str, fraction: float) -> None:
            if fraction == 1.0:
                raise Cancelled

        results = run(_request(clusters, embeddings="emb"), report)

        assert clusters.load_brain_results("dfaulo") is results

    def test_an_engine_that_fails_leaves_the_dataset_as_it_was(
        self, clusters: Any, unchanged: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = unchanged(clusters)
        monkeypatch.setattr(
            "fiftyone_dfaulo.engine.method.ensemble.fit_ensemble", _never
        )

        with pytest.raises(AssertionError):
            compute_suspiciousness(clusters, embeddings="emb")

        check()


class TestProgress:
    def test_a_function_gets_the_bar_with_stage_and_fraction(
        self, clusters: Any
    ) -> None:
        told: list[tuple[str, float]] = []

        compute_suspiciousness(
            clusters,
            embeddings="emb",
            progress=lambda bar: told.append((bar._suffix, bar.progress)),
        )

        assert list(dict.fromkeys(stage for stage, _ in told)) == STAGES
        fractions = [fraction for _, fraction in told]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
        assert len(set(told)) == len(told)

    def test_false_shows_nothing(
        self, clusters: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        compute_suspiciousness(clusters, embeddings="emb", progress=False)

        assert capsys.readouterr().out == ""

    def test_true_shows_a_bar(
        self, clusters: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        compute_suspiciousness(clusters, embeddings="emb", progress=True)

        assert "%" in capsys.readouterr().out


def test_a_missing_library_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise scoring_results.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(scoring_results.metadata, "version", version)

    assert scoring_results._versions()["torch"] is None
