"""The form, on real datasets: what it offers, and what it refuses and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dfaulo import (
    cache_info,
    clear_cache,
    compute_suspiciousness,
    suspicious_view,
)
from fiftyone_dfaulo.adapter.scoring import auto
from fiftyone_dfaulo.config import CACHES, Settings
from fiftyone_dfaulo.engine.models.pretrained import architectures
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.forms import compute, params, presets, trust
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from fiftyone_dfaulo.plugin.operators.injection import InjectFaults
from fiftyone_dfaulo.plugin.operators.quality import EstimateQuality
from tests.plugin.plugin_tools import URI, context, snapshot


def form(samples: Any, **kwargs: Any) -> dict[str, types.Property]:
    """The properties of the form, by name."""
    form = ComputeSuspiciousness().resolve_input(context(samples, **kwargs))
    assert form is not None
    return form.type.properties


def labels_of(prop: types.Property) -> dict[str, str]:
    """Value to label of each choice."""
    return {choice.value: choice.label for choice in prop.view.choices}


def problems(samples: Any, **kwargs: Any) -> dict[str, str]:
    """What is wrong with the form, by property."""
    properties = form(samples, **kwargs)
    return {n: prop.error_message for n, prop in properties.items() if prop.invalid}


def run_with_verdicts(dataset: Any, count: int) -> None:
    compute_suspiciousness(dataset, embeddings="vectors")
    ids = dataset.limit(count).values("id")
    dataset.set_values("dfaulo_verdict", dict.fromkeys(ids, "faulty"), key_field="id")


def test_form_of_a_usable_dataset_has_nothing_to_complain_about(scored: Any) -> None:
    assert problems(scored) == {}
    assert problems(scored.limit(10)) == {}


def test_label_fields_are_offered_with_their_number_of_labels(scored: Any) -> None:
    scored.set_values("other", [fo.Classification(label="x")] + [None] * 39)
    scored.set_values("boxes", [fo.Detections()] * 40)
    assert labels_of(form(scored)["label_field"]) == {
        "ground_truth": "ground_truth (38 labels)",
        "other": "other (1 label)",
        "boxes": "boxes (0 labels)",
    }
    field = form(scored.limit(10))["label_field"]
    assert labels_of(field)["ground_truth"] == "ground_truth (10 labels)"


def test_fullest_label_field_is_the_default_where_there_is_no_ground_truth(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(["a", "b", "a"], field="full")
    dataset.set_values("empty", [fo.Classification(), None, None])
    assert form(dataset)["label_field"].default == "full"
    assert params.read_request(context(dataset)).label_field == "full"


def test_dataset_without_a_classification_field_is_told_what_to_do(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(["a", "b"])
    dataset.delete_sample_field("ground_truth")
    assert list(form(dataset)) == ["view_target", "problem"]
    said = problems(dataset)["problem"]
    assert said.startswith("there is no label_field='ground_truth'")
    assert said.endswith(
        "Load labels into a Classification, Classifications, Detections or Polylines "
        "field first"
    )


def test_samples_that_cannot_be_scored_are_explained_and_nothing_else_is_asked(
    scored: Any,
) -> None:
    nothing = scored.match_tags("no such tag")
    assert list(form(nothing)) == ["view_target", "problem"]
    assert problems(nothing)["problem"].startswith("the view is empty")


def test_target_decides_which_samples_the_form_is_about(scored: Any) -> None:
    chosen = {"selected": scored.limit(3).values("id")}
    targets = {
        "DATASET": "ground_truth (38 labels)",
        "CURRENT_VIEW": "ground_truth (10 labels)",
        "SELECTED_SAMPLES": "ground_truth (3 labels)",
    }
    for target, label in targets.items():
        request = {**chosen, "view_target": target}
        shown = form(scored.limit(10), request=request)
        assert set(labels_of(shown["view_target"])) == set(targets)
        assert labels_of(shown["label_field"])["ground_truth"] == label


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([None, None, None], "none of the 3 samples has a label"),
        (["a", "a", None], "all 2 labels in 'ground_truth' are 'a'"),
    ],
)
def test_labels_that_cannot_be_scored_are_refused(
    make_dataset: Any, labels: list[str | None], said: str
) -> None:
    assert problems(make_dataset(labels))["label_field"].startswith(said)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("missing", "there is no label_field='missing'"),
        ("filepath", "label_field='filepath' is a StringField field"),
    ],
)
def test_label_field_that_does_not_exist_or_fit_is_refused(
    scored: Any, field: str, said: str
) -> None:
    assert problems(scored, label_field=field)["label_field"].startswith(said)


def test_embeddings_are_offered_only_where_there_are_some(
    scored: Any, make_dataset: Any
) -> None:
    assert set(labels_of(form(make_dataset(["a", "b"]))["source"])) == {
        "network",
        "backbone",
        "zoo",
        "file",
    }
    shown = form(scored, source="embeddings")
    assert set(labels_of(shown["source"])) == {
        "auto",
        "network",
        "embeddings",
        "backbone",
        "zoo",
        "file",
    }
    assert labels_of(shown["embeddings"]) == {"vectors": "vectors (field)"}
    assert "embeddings" not in form(scored)


def test_embeddings_that_do_not_exist_are_refused(scored: Any) -> None:
    said = problems(scored, embeddings="missing")["embeddings"]
    assert said.startswith("embeddings='missing' is neither a field")
    assert "vectors (field)" in said


def test_every_network_offered_is_one_that_torchvision_has() -> None:
    assert set(params.BACKBONES) <= set(architectures())
    assert params.DEFAULT_BACKBONE in params.BACKBONES


def test_python_may_name_any_network_that_torchvision_has(scored: Any) -> None:
    assert "resnet18" in labels_of(form(scored, source="backbone")["model"])
    assert problems(scored, model="resnet34") == {}
    assert "'resnet43' is no" in problems(scored, model="resnet43")["model"]


@pytest.mark.parametrize("other", [{"embeddings": "vectors"}, {"model": "resnet18"}])
def test_paper_method_is_refused_unless_a_network_is_trained(
    scored: Any, other: dict[str, str]
) -> None:
    assert "method='paper'" in problems(scored, method="paper", **other)["source"]
    assert problems(scored, method="paper") == {}


@pytest.mark.parametrize("key", ["", "1st", "my key", "_mine"])
def test_key_that_is_no_identifier_is_refused(scored: Any, key: str) -> None:
    said = problems(scored, brain_key=key)["brain_key"]
    assert said.startswith(f"brain_key={key!r} cannot be used")


def test_key_whose_fields_are_taken_is_refused(scored: Any) -> None:
    scored.add_sample_field("mine_reasons", fo.StringField)
    said = problems(scored, brain_key="mine")["brain_key"]
    assert "would overwrite the fields mine_reasons" in said


def test_run_that_would_be_replaced_is_named_with_both_sizes(scored: Any) -> None:
    assert "replaces" not in form(scored)
    compute_suspiciousness(scored, embeddings="vectors")
    warning = form(scored.limit(10), brain_key="dfaulo")["replaces"].view
    assert isinstance(warning, types.Warning)
    assert warning.label == "Replaces a run of 37 samples by one of 10"
    assert "scored ground_truth" in warning.description
    assert "replaces" not in form(scored, brain_key="another")
    run_with_verdicts(scored, 3)
    sure = form(scored.limit(10))[trust.overwrite_name(scored, "dfaulo")]
    assert sure.view.description == "Replaces a run of 37 samples by one of 10"


FORMS = {
    "compute_suspiciousness": ComputeSuspiciousness,
    "estimate_quality": EstimateQuality,
    "inject_faults": InjectFaults,
}


@pytest.mark.parametrize("name", FORMS)
def test_what_the_plugin_shows_and_a_selection_are_never_preset(
    scored: Any, name: str
) -> None:
    compute_suspiciousness(scored, embeddings="vectors")
    ids = scored.values("id")[:3]
    shown = {
        "batch": scored.select(ids, ordered=True),
        "ranking": suspicious_view(scored),
        "reason": scored.match(fo.ViewField("dfaulo_reasons").contains("x")),
        "dataset": scored,
    }
    for view in shown.values():
        asked = context(view, prompt=str(view), request={"selected": ids})
        target = FORMS[name]().resolve_input(asked).type.properties["view_target"]
        assert "SELECTED_SAMPLES" in target.type.values
        assert target.default == "DATASET"
        assert presets.samples(asked).count() == 40
    mine = scored.match_tags("no such tag")
    asked = context(mine, prompt="mine", request={"selected": ids})
    assert presets.preset_target(asked) == "CURRENT_VIEW"
    assert presets.samples(asked) == mine
    assert presets.samples(context(shown["batch"])) == shown["batch"]  # from Python


def test_the_key_that_is_preset_replaces_no_run(scored: Any) -> None:
    assert form(scored, prompt="1")["brain_key"].default == "dfaulo"
    compute_suspiciousness(scored, embeddings="vectors")
    scored.add_sample_field("dfaulo_2_verdict", fo.StringField)
    shown = form(scored, prompt="2")
    assert shown["brain_key"].default == "dfaulo_3"
    assert "dfaulo_3_suspiciousness" in plain_text(shown["brain_key"])
    assert "replaces" not in shown
    assert params.brain_key(context(scored)) == "dfaulo"  # from Python


def plain_text(prop: types.Property) -> str:
    return str(prop.to_json()).replace("\\", "")


def test_verdicts_are_deleted_only_after_an_explicit_yes(scored: Any) -> None:
    run_with_verdicts(scored, 3)
    name = trust.overwrite_name(scored, "dfaulo")
    assert scored.get_brain_info("dfaulo").config.token in name
    assert problems(scored)[name].startswith("brain run 'dfaulo' holds 3 verd")
    assert name in problems(scored, overwrite=True)  # as a foreign page would say it
    assert problems(scored, **{name: True}) == {}
    assert not params.read_request(context(scored, overwrite=True)).overwrite
    assert params.read_request(context(scored, **{name: True})).overwrite


def test_python_users_say_yes_by_overwrite(scored: Any) -> None:
    run_with_verdicts(scored, 3)
    operator = foo.get_operator(URI)
    with pytest.raises(ExecutionError, match="holds 3 verdicts"):
        operator(scored, embeddings="vectors")
    operator(scored, embeddings="vectors", overwrite=True)
    scored.reload()
    assert scored.count("dfaulo_verdict") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "magic"),
        ("seed", -1),
        ("epochs", 0),
        ("image_size", 4),
        ("batch_size", "many"),
        ("num_workers", 1.5),
    ],
)
def test_setting_out_of_range_is_shown_and_refused(
    scored: Any, name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=name) as error:
        Settings(**{name: value})
    assert problems(scored, **{name: value}) == {name: str(error.value)}


def test_settings_are_shown_on_demand_and_only_where_they_matter(scored: Any) -> None:
    settings = {"method", *params.NUMBERS}
    assert not settings & set(form(scored))
    assert settings <= set(form(scored, advanced=True))
    shown = set(form(scored, advanced=True, source="embeddings"))
    assert settings - shown == set(params.TRAINING_ONLY)
    both = set(form(scored, advanced=True, source="embeddings", train=True))
    assert settings <= both


def test_answers_become_settings_and_empty_ones_the_defaults(scored: Any) -> None:
    empty = dict.fromkeys(params.NUMBERS)
    assert params.read_request(context(scored, **empty)).settings == Settings()
    request = params.read_request(context(scored, seed=3, epochs=2, method="paper"))
    assert request.settings == Settings(seed=3, epochs=2, method="paper")


def test_answers_to_questions_no_longer_asked_do_not_count(scored: Any) -> None:
    left = {"embeddings": "vectors", "model": "resnet18"}
    request = params.read_request(context(scored, source="network", **left))
    assert (request.embeddings, request.settings.model) == (None, None)
    request = params.read_request(
        context(scored, source="embeddings", epochs=0, **left)
    )
    assert request.embeddings == "vectors"
    assert request.settings == Settings()
    alone = params.read_request(context(scored, source="network", train=True))
    assert alone.settings == Settings()
    both = params.read_request(
        context(scored, source="embeddings", train=True, epochs=2)
    )
    assert both.settings == Settings(train=True, epochs=2)


@pytest.mark.parametrize("allowed", [True, False])
def test_form_says_what_scheduling_takes(
    scored: Any, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr(compute, "worker_runs_here", lambda: False)
    monkeypatch.setattr(fo.config, "allow_legacy_orchestrators", allowed)
    said = form(scored)["worker"].view.description
    assert "`fiftyone delegated launch`" in said
    assert ("FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS=true" in said) is not allowed


def test_form_says_nothing_of_scheduling_where_a_worker_runs(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "worker_runs_here", lambda: True)
    monkeypatch.setattr(fo.config, "allow_legacy_orchestrators", True)
    assert "worker" not in form(scored)


def test_open_form_counts_labels_once_and_execution_counts_afresh(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def count(samples: Any) -> dict[str, int]:
        counted.append(samples)
        return {"ground_truth": 38}

    monkeypatch.setattr(params, "list_label_fields", count)
    for key in ("a", "ab", "abc"):
        form(scored, prompt="one open form", brain_key=key)
    assert len(counted) == 1
    form(scored, prompt="another form")
    form(scored)
    assert len(counted) > 2


def test_form_does_not_import_torch(scored: Any) -> None:
    script = f"""
import sys
import fiftyone as fo
from fiftyone.operators.executor import ExecutionContext
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from tests.plugin.plugin_tools import URI, context, snapshot
for source in ("network", "embeddings", "backbone", "zoo"):
    params = {{"source": source, "advanced": True}}
    request = {{"dataset_name": {scored.name!r}, "params": params}}
    form = ComputeSuspiciousness().resolve_input(ExecutionContext(request))
    assert not any(prop.invalid for prop in form.type.properties.values())
print("torch" in sys.modules)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


def test_python_is_refused_what_the_app_is_and_nothing_changes(scored: Any) -> None:
    before = snapshot(scored)
    for given, said in (
        ({"label_field": "missing"}, "there is no label_field='missing'"),
        ({"brain_key": "1st"}, "brain_key='1st' cannot be used"),
        ({"epochs": 0}, "epochs=0 is not a whole number from 1 to 1000"),
    ):
        with pytest.raises(ExecutionError, match=said):
            foo.execute_operator(URI, dataset=scored, params=given)
    assert snapshot(scored) == before


def test_a_cluster_is_a_choice_and_its_address_is_the_environments(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert "cluster" not in form(scored)
    assert "cluster" in form(scored, advanced=True)
    assert params.read_request(context(scored)).cluster is None
    assert params.read_request(context(scored, cluster="here")).cluster is None
    assert params.read_request(context(scored, cluster="auto")).cluster == "auto"
    assert problems(scored, cluster="here") == {}
    for value in ("10.0.0.1:6379", 5, ["auto"]):
        said = problems(scored, cluster=value)["cluster"]
        assert "operators take 'auto'" in said
        with pytest.raises(InputError, match="RAY_ADDRESS"):
            params.read_request(context(scored, cluster=value))


def test_whether_work_is_kept_is_a_choice(
    scored: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DFAULO_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("DFAULO_CACHE_GB", raising=False)
    assert "cache" not in form(scored)
    assert {*labels_of(form(scored, advanced=True)["cache"])} == {*CACHES}
    assert params.read_request(context(scored)).settings.cache == "keep"
    assert "choose one of" in problems(scored, cache="always")["cache"]
    sizes = {}
    for cache in CACHES:
        given = {"brain_key": cache, "source": "embeddings", "embeddings": "vectors"}
        given |= {"label_field": "ground_truth", "cache": cache}
        foo.execute_operator(URI, dataset=scored, params=given)
        sizes[cache] = [one.brain_key for one in cache_info().runs]
        clear_cache()
    assert sizes == {"keep": ["keep"], "run": ["run"], "none": []}


def test_a_cluster_that_does_not_answer_is_marked(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert "nothing answers" in problems(scored, cluster="auto")["cluster"]
    monkeypatch.setitem(sys.modules, "ray", None)
    said = problems(scored, cluster="auto")["cluster"]
    assert "fiftyone-dfaulo[cluster]" in said


def test_the_form_tells_about_how_long_a_network_takes(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(["a", "b"] * 10)  # of 8 x 8 pixels

    def says(**kwargs: Any) -> str | None:
        found = form(dataset, **kwargs).get("duration")
        return None if found is None else found.view.label

    assert says() == "Takes less than a minute"
    monkeypatch.setattr(auto, "TRAINING", 0.01)  # seconds a pixel
    two = "Takes about 2 minutes on two cores, less with a GPU"
    assert says() == two  # 20 * 64 * 10 * .01 = 128 s
    assert says(epochs=100) == "Takes about 21 minutes on two cores, less with a GPU"
    assert says(image_size=64) == "Takes about 2 hours on two cores, less with a GPU"
    assert says(epochs=-1) is None
    assert says(method="paper") is None
    assert says(source=params.BACKBONE) is None
    dataset.set_values("emb", np.random.default_rng(0).normal(size=(20, 4)))
    assert says() == two
    assert says(source=params.EMBEDDINGS) is None
    monkeypatch.setattr(auto, "QUICK", 1.0)
    assert says() == "Takes less than a minute"
