"""How well it would work is told, and nothing is left of finding it out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import fiftyone.core.odm as foo
import pytest

from fiftyone_dfaulo import (
    Cancelled,
    InputError,
    RunError,
    compute_suspiciousness,
    estimate_quality,
    quality_reports,
    record_verdicts,
)
from fiftyone_dfaulo.adapter.injection import quality
from fiftyone_dfaulo.adapter.injection.reports import REPORTS
from fiftyone_dfaulo.adapter.injection.request import Injection
from fiftyone_dfaulo.adapter.scoring import compute
from fiftyone_dfaulo.config import Settings
from tests.adapter.conftest import contents

FEW = {"epochs": 1, "progress": False}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def nothing_left(clusters: Any, temporary: Path) -> Callable[[], None]:
    """Asserts that database, dataset and disk are as they were at the start."""

    def look() -> list[Any]:
        database = foo.get_db_conn()
        names = sorted(database.list_collection_names())
        counts = {name: database[name].count_documents({}) for name in names}
        counts = {name: count for name, count in counts.items() if count}
        media = Path(clusters.first().filepath).parent
        shown = {path.name: path.read_bytes() for path in media.iterdir()}
        default = [*Path(fo.config.default_dataset_dir).rglob("*")]
        return [fo.list_datasets(), counts, contents(clusters), shown, default]

    # a process that another test has killed may have held one, which a run clears
    foo.get_db_conn()["dfaulo_leases"].delete_many({})
    before = look()

    def check() -> None:
        assert look() == before
        left = [path.name for path in temporary.iterdir()]
        assert [name for name in left if not name.startswith("torchinductor")] == []

    return check


def test_planted_faults_are_found_and_nothing_is_left(
    clusters: Any, nothing_left: Callable[[], None]
) -> None:
    found = estimate_quality(clusters, embeddings="emb", rate=0.1, progress=False)
    nothing_left()
    assert (found["samples"], found["faults"]) == (60, 6)
    assert found["AP"] > 0.6  # three labels were wrong before
    (note,) = found.notes
    assert "were probably wrong before. They are no false alarms" in note
    assert found.real.known == 0
    assert found.real.low <= found.real.others <= found.real.high
    for name, value in found.with_real.items():
        assert found[name] <= value + 1e-9 or name == "AP"


def test_known_faults_are_left_out_and_reports_are_kept_and_compared(
    clusters: Any,
) -> None:
    ids, given, truth = clusters.values(["id", "ground_truth.label", "truth"])
    wrong = [i for i, a, b in zip(ids, given, truth) if a != b]
    asked: Any = {"embeddings": "emb", "rate": 0.1, "progress": False, "keep": True}
    first = estimate_quality(clusters, **asked)
    compute_suspiciousness(clusters, embeddings="emb", progress=False)
    record_verdicts(clusters, faulty=wrong)
    clusters.info["mine"] = 1
    clusters.save()
    second = estimate_quality(clusters, **asked)
    assert len(wrong) == 3
    assert second.real.known >= 1  # those that no fault was planted in
    assert second["samples"] == first["samples"] - second.real.known
    assert second["AP"] >= first["AP"]
    newest, oldest = quality_reports(clusters.limit(1))
    assert newest["figures"] == dict(second)
    assert (newest["kind"], newest["source"]) == ("random_label", "embeddings emb")
    assert oldest["with_real"] == first.with_real
    assert clusters.info["mine"] == 1
    assert len(clusters.info[REPORTS]) == 2


def test_predictions_are_those_of_the_samples(clusters: Any) -> None:
    numbers = ["abc".index(truth) for truth in clusters.values("truth")]
    seen = [
        fo.Classification(label="abc"[n], logits=[4.0 * (k == n) for k in range(3)])
        for n in numbers
    ]
    clusters.set_values("seen", seen)
    before = clusters.count_values("seen.label")
    found = estimate_quality(clusters, predictions="seen", rate=0.1, progress=False)
    assert found["AP"] > 0.6
    assert clusters.count_values("seen.label") == before
    with pytest.raises(InputError, match="the predictions do not show"):
        estimate_quality(clusters, predictions="seen", kind="corrupt")


def test_a_network_sees_faults_in_the_images(
    clusters: Any, nothing_left: Callable[[], None]
) -> None:
    found = estimate_quality(clusters, kind="mixture", rate=0.2, **FEW)
    nothing_left()
    assert found["faults"] == 12


def test_same_seed_same_figures_and_as_in_steps(clusters: Any) -> None:
    from fiftyone_dfaulo import (
        compute_suspiciousness,
        evaluate_ranking,
        inject_faults,
    )

    first, again, other = (
        estimate_quality(
            clusters, embeddings="emb", rate=0.1, seed=seed, progress=False
        )
        for seed in (3, 3, 4)
    )
    assert first == again != other
    copy = inject_faults(clusters, rate=0.1, seed=3)
    compute_suspiciousness(copy, embeddings="emb", seed=3, progress=False)
    assert evaluate_ranking(copy, fault_field="injected_fault") == first
    copy.delete()


@pytest.mark.parametrize("source", ["emb", "similarity", "array"])
def test_embeddings_may_come_from_a_field_a_run_or_an_array(
    clusters: Any, source: str
) -> None:
    view = clusters.sort_by("id", reverse=True)
    embeddings: Any = source
    if source == "similarity":
        fob.compute_similarity(
            clusters, embeddings="emb", backend="sklearn", brain_key="similarity"
        )
    elif source == "array":
        embeddings = view.values("emb")
    arguments: Any = {"rate": 0.1, "kind": "pair", "pairs": "emb", "progress": False}
    found = estimate_quality(view, embeddings=embeddings, **arguments)
    assert found == estimate_quality(clusters, embeddings="emb", **arguments)


def test_samples_without_a_label_or_an_embedding_are_left_out(clusters: Any) -> None:
    first, *_, last = clusters
    first.ground_truth, last["emb"] = None, None
    first.save()
    last.save()
    found = estimate_quality(clusters, embeddings="emb", rate=0.1, progress=False)
    assert (found["samples"], found["unranked"]) == (58, 1)
    assert found["AP"] > 0.6


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["run", "evaluate_ranking", "_match_embeddings"])
def test_a_failure_leaves_nothing(
    clusters: Any,
    nothing_left: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: type[BaseException],
) -> None:
    reached: list[str] = []

    def fail(*args: Any, **kwargs: Any) -> None:
        reached.extend(set(fo.list_datasets()) - {clusters.name})
        raise error("on purpose")

    home = compute if where == "run" else quality
    monkeypatch.setattr(home, where, fail)
    with pytest.raises(error, match="on purpose"):
        estimate_quality(clusters, kind="corrupt", rate=0.2, **FEW)
    assert len([name for name in reached if name.startswith("dfaulo-unfinished")]) == 1
    nothing_left()


STAGES = ["Copying the dataset", "Planting faults", "Decoding images"]
STAGES += ["Training the network", "Scoring with mutants", "Writing results"]


@pytest.mark.parametrize("stage", [*STAGES, "Evaluating"])
def test_one_who_stops_it_finds_nothing_left(
    clusters: Any, nothing_left: Callable[[], None], stage: str
) -> None:
    def stop(name: str, fraction: float) -> None:
        if name == stage:
            raise Cancelled("enough")

    request = Injection(kind="corrupt", rate=0.2)
    with pytest.raises(Cancelled):
        quality.run(clusters, request, None, Settings(epochs=1), stop)
    nothing_left()


def test_progress_goes_from_start_to_end(clusters: Any) -> None:
    told: list[tuple[str, float]] = []
    request = Injection(kind="corrupt", rate=0.2)
    settings = Settings(epochs=1)
    quality.run(clusters, request, None, settings, lambda *news: told.append(news))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert set(STAGES) < {stage for stage, _ in told}


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"kind": "none"}, InputError, "kind='none' is unknown"),
    ({"rate": 2}, InputError, "rate=2 cannot be used"),
    ({"kind": "corrupt", "embeddings": "emb"}, InputError, "embeddings do not show"),
    ({"embeddings": "nothing"}, InputError, "embeddings='nothing' is neither"),
    ({"epochs": 0}, InputError, "epochs=0 is not a whole number from 1 to 1000"),
    ({"brain_key": "x"}, InputError, "estimate_quality has no argument 'brain_key'"),
    ({"label_field": "truth"}, InputError, "expected a Classification field"),
    ({"kind": "pair", "pairs": "nothing"}, InputError, "neither a field"),
]


@pytest.mark.parametrize(("arguments", "error", "said"), BAD)
def test_what_cannot_be_used_is_refused_before_anything_is_copied(
    clusters: Any,
    nothing_left: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    monkeypatch.setattr(fo.Dataset, "_clone", None)  # would raise a TypeError
    with pytest.raises(error, match=said):
        estimate_quality(clusters, **{**FEW, **arguments})
    nothing_left()


def test_a_dataset_with_planted_faults_is_refused(clusters: Any) -> None:
    from fiftyone_dfaulo import inject_faults, revert_faults

    inject_faults(clusters, in_place=True, rate=0.1)
    with pytest.raises(RunError, match="revert_faults first"):
        estimate_quality(clusters, **FEW)
    revert_faults(clusters)
