"""Operators that plant faults, take them back, and evaluate with them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dfaulo import (
    InputError,
    RunError,
    compute_suspiciousness,
    estimate_quality,
    evaluate_ranking,
    inject_faults,
)
from fiftyone_dfaulo.adapter.injection import quality
from fiftyone_dfaulo.adapter.injection.request import BOX_FAULTS
from fiftyone_dfaulo.engine.injection.plans import KINDS
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.plugin.forms import injection
from fiftyone_dfaulo.plugin.forms.trust import confirmation
from fiftyone_dfaulo.plugin.operators.injection import (
    EvaluateRanking,
    InjectFaults,
    RevertFaults,
)
from fiftyone_dfaulo.plugin.operators.quality import EstimateQuality
from tests.plugin.plugin_tools import context, progress_of, snapshot

SOON = 300.0
HOME = "@dfaulo/dfaulo"


@pytest.fixture(autouse=True)
def no_copies_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Deletes the copies that a test makes; new images go into a folder of its own."""
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "default"))
    before = set(fo.list_datasets())
    yield
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


def bodies(sent: Any) -> list[tuple[str, dict[str, Any]]]:
    """Name and parameters of each operation that the App is told to execute."""
    return [(m.body.operator_uri, m.body.params) for m in sent]


def shown(sent: Any) -> str:
    """What the last message has the App show, as JSON."""
    name, params = bodies(sent)[-1]
    assert name == "show_output"
    return json.dumps(params)


def problems(operator: Any, samples: Any, **params: Any) -> dict[str, str]:
    """What the form says is wrong, by field."""
    form = operator.resolve_input(context(samples, prompt=str(params), **params))
    properties = form.type.properties.items()
    return {name: prop.error_message for name, prop in properties if prop.invalid}


def fields(operator: Any, samples: Any, **params: Any) -> dict[str, Any]:
    form = operator.resolve_input(context(samples, prompt=str(params), **params))
    return dict(form.type.properties)


@pytest.fixture
def boxes(make_dataset: Any) -> Any:
    """Ten images with two objects each in ``boxes``, and as polylines."""
    dataset = make_dataset(["a", "b"] * 5)
    square = [(0, 0), (1, 0), (1, 1)]
    for sample in dataset:
        some = [fo.Detection(label=one, bounding_box=[0, 0, 1, 1]) for one in "ab"]
        sample["boxes"] = fo.Detections(detections=some)
        one = fo.Polyline(label="a", points=[square], closed=True)
        sample["shapes"] = fo.Polylines(polylines=[one])
        sample.save()
    return dataset


@pytest.mark.parametrize("operator", [InjectFaults, EstimateQuality])
def test_the_kinds_are_those_of_the_labels(operator: Any, boxes: Any) -> None:
    found = fields(operator(), boxes, label_field="boxes")
    assert found["kind"].type.values == list(injection.BOX_KINDS)
    assert found["kind"].default == "boxes"
    assert fields(operator(), boxes)["kind"].default == "random_label"
    said = problems(operator(), boxes, label_field="boxes", kind="corrupt")
    assert "expected a Classification field" in said["kind"]
    said = problems(operator(), boxes, label_field="boxes", kind="boxes", rate=0.3)
    assert "more than one fault an object" in said["rate"]
    said = problems(operator(), boxes, label_field="shapes")
    assert "'shapes' is a Polylines field" in said["problem"]


def test_faults_of_boxes_are_planted_and_counted_by_object(boxes: Any) -> None:
    before = snapshot(boxes)
    ctx = context(boxes, label_field="boxes", rate=0.1, in_place=True)
    text = shown(InjectFaults().execute(ctx))
    for what in ("doubled", "misplaced", "missing", "spurious", "wrong class"):
        assert f"| {what} | 2 |" in text
    assert "every kind of fault of boxes" in text
    assert "| objects |" in text
    notice = fields(RevertFaults(), boxes)["what"].view.description
    assert "Every kind of fault of boxes in boxes" in notice
    sure = confirmation(boxes, "confirm")
    list(RevertFaults().execute(context(boxes, **{sure: True})))
    assert snapshot(boxes) == before


def test_of_boxes_a_trial_asks_a_detector(boxes: Any) -> None:
    asked = EstimateQuality().read(context(boxes, label_field="boxes"))
    assert asked.scoring.settings.predictions == "auto"
    assert asked.scoring.embeddings is None
    offered = fields(EstimateQuality(), boxes, label_field="boxes")["source"]
    assert offered.type.values == ["look", "detector"]
    said = problems(EstimateQuality(), boxes, label_field="boxes", source="network")
    assert "pass predictions" in said["problem"]


def test_every_kind_can_be_chosen() -> None:
    assert list(injection.KINDS) == list(KINDS)
    assert {*injection.BOX_KINDS} == {*BOX_FAULTS}


def test_faults_are_planted_in_a_copy_that_stays(scored: Any) -> None:
    before = snapshot(scored)
    sent = list(InjectFaults().execute(context(scored, rate=0.2, name="my copy")))
    assert snapshot(scored) == before
    copy = fo.load_dataset("my copy")
    assert copy.persistent
    assert copy.count_values("injected_kind")["wrong label"] == 8
    assert "The copy **my copy** now holds" in shown(sent)
    assert "wrong label | 8" in shown(sent)
    told = [p["label"] for p in progress_of(bodies(sent))]
    assert list(dict.fromkeys(told)) == ["Copying the dataset", "Planting faults"]


def test_faults_planted_in_place_are_taken_back(scored: Any) -> None:
    before = snapshot(scored)
    assert problems(RevertFaults(), scored)["problem"].endswith("no planted faults")
    ctx = context(scored, kind="corrupt", in_place=True)
    sent = bodies(InjectFaults().execute(ctx))
    assert [name for name, _ in sent[-2:]] == ["reload_dataset", "show_output"]
    assert scored.count_values("injected_fault")[True] == 2
    sure = confirmation(scored, "confirm")
    assert problems(RevertFaults(), scored) == {sure: "Say yes to go on"}
    assert problems(RevertFaults(), scored, **{sure: True}) == {}
    notice = fields(RevertFaults(), scored)["what"].view.description
    assert "Blank and corrupt images in ground_truth, rate 0.05" in notice
    sent = bodies(RevertFaults().execute(context(scored, **{sure: True})))
    assert [name for name, _ in sent] == ["reload_dataset", "notify"]
    assert sent[-1][1]["message"] == "Restored: 2 samples"
    assert snapshot(scored) == before


def test_classes_are_asked_for_where_the_kind_names_some(scored: Any) -> None:
    assert "pairs" not in fields(InjectFaults(), scored, kind="random_label")
    pairs = fields(InjectFaults(), scored, kind="pair")["pairs"]
    assert pairs.type.values == ["next class", "vectors"]
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    pairs = fields(EstimateQuality(), scored, kind="specific_label")["pairs"]
    assert pairs.type.values == ["next class", "dfaulo", "vectors"]


@pytest.mark.parametrize(
    ("answers", "field", "said"),
    [
        ({"kind": "odd"}, "kind", "kind='odd' is unknown"),
        ({"rate": 0.9}, "rate", "rate=0.9 cannot be used"),
        ({"kind": "pair", "rate": 0.4}, "rate", "at most 0.33"),
        ({"seed": -1}, "seed", "seed=-1 is not a whole number from 0"),
        ({"label_field": "x"}, "label_field", "there is no label_field='x'"),
    ],
)
@pytest.mark.parametrize("operator", [InjectFaults(), EstimateQuality()])
def test_the_form_says_what_is_wrong_beside_the_answer(
    scored: Any, operator: Any, answers: dict[str, Any], field: str, said: str
) -> None:
    assert said in problems(operator, scored, **answers)[field]
    with pytest.raises((ExecutionError, InputError)):
        foo.execute_operator(
            f"{HOME}/{operator.name}", {"dataset": scored, "params": answers}
        ).raise_exceptions()
    assert problems(operator, scored) == {}


def test_the_form_says_that_a_name_is_taken(scored: Any) -> None:
    said = problems(InjectFaults(), scored, name=scored.name)["name"]
    assert "cannot be given to the copy" in said


def test_embeddings_do_not_go_with_replaced_images(scored: Any) -> None:
    answers = {"source": "embeddings", "embeddings": "vectors"}
    assert problems(EstimateQuality(), scored, **answers) == {}
    said = problems(EstimateQuality(), scored, kind="corrupt", **answers)["problem"]
    assert "embeddings do not show" in said


def test_a_ranking_is_evaluated_against_the_field_that_is_chosen(scored: Any) -> None:
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    scored.set_values("wrong", [n == 7 for n in range(40)])
    assert problems(EvaluateRanking(), scored, fault_field="wrong") == {}
    sent = list(EvaluateRanking().execute(context(scored, fault_field="wrong")))
    assert "Run dfaulo, compared with wrong" in shown(sent)
    assert "Of 37 ranked samples, 1 are faults" in shown(sent)
    found = evaluate_ranking(scored, fault_field="wrong")
    outputs = bodies(sent)[-1][1]["outputs"]["type"]["properties"]
    assert outputs["curve"]["view"]["data"] == found.plot()["data"]
    assert f"| AP | {found['AP']:.3f} |" in outputs["metrics"]["default"]


def test_planted_faults_are_the_first_choice_of_truth(scored: Any) -> None:
    inject_faults(scored, in_place=True, rate=0.2)
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    assert fields(EvaluateRanking(), scored)["fault_field"].default == "injected_fault"
    found = evaluate_ranking(scored, fault_field="injected_fault")
    told = shown(EvaluateRanking().execute(context(scored)))
    assert f"{found['faults']} are faults" in told


def test_without_a_run_or_a_truth_nothing_is_evaluated(scored: Any) -> None:
    assert "has no run yet" in problems(EvaluateRanking(), scored)["problem"]
    with pytest.raises(InputError, match="has no run yet"):
        list(EvaluateRanking().execute(context(scored)))
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    said = problems(EvaluateRanking(), scored, fault_field="x")["fault_field"]
    assert "'x' does not exist" in said
    heard: list[Any] = []
    with pytest.raises(InputError, match="'x' does not exist"):
        heard.extend(EvaluateRanking().execute(context(scored, fault_field="x")))
    assert bodies(heard)[-1][1]["variant"] == "error"


FEW = {"source": "network", "epochs": 1, "rate": 0.2}


def test_how_well_it_would_work_is_told_and_nothing_is_left(scored: Any) -> None:
    before, names = snapshot(scored), fo.list_datasets()
    answers = {"source": "embeddings", "embeddings": "vectors", "rate": 0.2}
    sent = list(EstimateQuality().execute(context(scored, **answers)))
    assert snapshot(scored) == before
    assert fo.list_datasets() == names
    told = progress_of(bodies(sent))
    assert [p["progress"] for p in told] == sorted(p["progress"] for p in told)
    assert {"Copying the dataset", "Scoring with mutants"} <= {p["label"] for p in told}
    assert "How well random labels would be found in ground_truth" in shown(sent)
    found = estimate_quality(scored, embeddings="vectors", rate=0.2, progress=False)
    outputs = bodies(sent)[-1][1]["outputs"]["type"]["properties"]
    assert outputs["curve"]["view"]["data"] == found.plot()["data"]
    assert "PlotlyView" in shown(sent)


def test_only_the_target_is_copied(scored: Any) -> None:
    chosen = scored.values("id")[:20]
    request = {"view_target": "SELECTED_SAMPLES", "selected": chosen}
    answers = {"source": "embeddings", "embeddings": "vectors", "rate": 0.2}
    sent = list(EstimateQuality().execute(context(scored, request=request, **answers)))
    assert "among the 20 ranked samples" in shown(sent)


def test_a_failure_is_told_and_leaves_nothing(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(quality.compute, "run", fail)
    before, names = snapshot(scored), fo.list_datasets()
    heard: list[Any] = []
    with pytest.raises(RuntimeError, match="on purpose"):
        heard.extend(EstimateQuality().execute(context(scored, kind="corrupt", **FEW)))
    assert "on purpose" in shown(heard)
    assert snapshot(scored) == before
    assert fo.list_datasets() == names


def test_who_closes_it_finds_nothing_left(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, names = snapshot(scored), fo.list_datasets()
    closed, ended = threading.Event(), threading.Event()
    made: list[str] = []
    seen: list[str] = []
    run = quality.run

    def watched(*args: Any) -> Any:
        *others, report = args

        def gate(stage: str, fraction: float) -> None:
            seen.append(stage)
            if seen.count("Training the network") == 2:
                made.extend(set(fo.list_datasets()) - set(names))
                assert closed.wait(SOON)
            report(stage, fraction)

        try:
            return run(*others, gate)
        finally:
            ended.set()

    monkeypatch.setattr(quality, "run", watched)
    sent = EstimateQuality().execute(context(scored, kind="mixture", **FEW))
    while "Training the network" not in json.dumps(next(sent).body.params):
        pass
    sent.close()
    closed.set()
    assert ended.wait(SOON)
    assert len(made) == 1
    assert snapshot(scored) == before
    assert fo.list_datasets() == names


def test_the_operators_can_be_called_like_functions(scored: Any) -> None:
    names = fo.list_datasets()
    plant = foo.get_operator(f"{HOME}/inject_faults")
    plant(scored, kind="pair", rate=0.1, pairs=[["a", "b"]], name="planted here")
    copy = fo.load_dataset("planted here")
    wrong = copy.match(fo.ViewField("injected_fault"))
    assert set(wrong.values("ground_truth.label")) == {"b"}
    compute_suspiciousness(copy, embeddings="vectors", progress=False)
    evaluate = foo.get_operator(f"{HOME}/evaluate_ranking")
    evaluate(copy, fault_field="injected_fault").raise_exceptions()
    with pytest.raises(InputError, match="say yes in the form"):
        list(RevertFaults().execute(context(copy, confirm=True)))
    foo.get_operator(f"{HOME}/revert_faults")(copy).raise_exceptions()
    copy.reload()
    assert not copy.has_sample_field("injected_fault")
    copy.delete()
    estimate = foo.get_operator(f"{HOME}/estimate_quality")
    estimate(scored.limit(20), embeddings="vectors", rate=0.2).raise_exceptions()
    assert fo.list_datasets() == names
    for operator in (plant, estimate):
        with pytest.raises(InputError, match="unknown parameters ratio"):
            operator(scored, ratio=1)
    with pytest.raises(RunError, match="no planted faults"):
        list(RevertFaults().execute(context(scored)))


def test_a_delegated_run_reports_to_the_database_and_keeps_its_report(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def to_database(ctx: Any) -> Report:
        return lambda stage, fraction: told.append(stage)

    home = "fiftyone_dfaulo.plugin.operators.base.report_to_database"
    monkeypatch.setattr(home, to_database)
    answers = {"source": "embeddings", "embeddings": "vectors", "rate": 0.2}
    ctx = context(scored, request={"delegated": True}, **answers)
    monkeypatch.setattr(type(ctx), "delegated", True)
    facts = EstimateQuality().execute(ctx)
    assert json.loads(json.dumps(facts))["figures"]["faults"] == 8
    assert "Evaluating" in told
    monkeypatch.setattr(type(ctx), "results", facts, raising=False)
    report = EstimateQuality().resolve_output(ctx)
    assert report is not None
    assert "8 most suspicious" in json.dumps(report.to_json())
    name = EstimateQuality().resolve_run_name(ctx)
    assert name == "How well would this work: random_label in ground_truth"
