"""Models and predictions in the form and the operator: offered, guarded, never run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
import torch
from fiftyone.operators.executor import ExecutionError
from torch import nn

from fiftyone_dfaulo import InputError, Preprocessing
from fiftyone_dfaulo.adapter.scoring import models
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.plugin.forms import params, trust
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from tests.engine.models.test_file_format import Hostile
from tests.plugin.plugin_tools import URI, context, snapshot


def form(samples: Any, **params: Any) -> Any:
    form = ComputeSuspiciousness().resolve_input(context(samples, **params))
    assert form is not None
    return form.type.properties


def problems(samples: Any, **params: Any) -> dict[str, str]:
    found = form(samples, **params).items()
    return {name: prop.error_message for name, prop in found if prop.invalid}


def request(samples: Any, **given: Any) -> Settings:
    return params.read_request(context(samples, **given)).settings


@pytest.fixture
def predicted(scored: Any) -> Any:
    scored.set_values("guesses", [fo.Classification(label="a", logits=[1.0, 2.0])] * 40)
    return scored


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An exported network in a folder that the environment trusts."""
    monkeypatch.setenv(trust.MODELS, f"{tmp_path / 'other'}:{tmp_path}")
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 2))
    path = tmp_path / "model.pt2"
    batch = torch.export.Dim("batch", min=1, max=4096)
    images = (torch.zeros(2, 3, 8, 8),)
    program = torch.export.export(network, images, dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    return str(path)


def test_predictions_are_offered_where_there_are_some(predicted: Any) -> None:
    choices = form(predicted)["source"].view.choices
    assert "predictions" in [choice.value for choice in choices]
    shown = form(predicted, source="predictions")["predictions"].view.choices
    assert [choice.label for choice in shown] == ["guesses (logits)"]
    assert problems(predicted, predictions="guesses", out_of_sample=True) == {}
    said = problems(predicted, predictions="ground_truth")["predictions"]
    assert "is the label field" in said
    settings = request(predicted, predictions="guesses", out_of_sample=True)
    assert settings == Settings(predictions="guesses", out_of_sample=True)


@pytest.mark.parametrize(
    ("way", "predictions", "label"),
    [
        ("detector", "auto", "Train a detector here"),
        ("look", "look", "Look at each box as well"),
    ],
)
def test_networks_are_trained_for_boxes_alone(
    scored: Any, way: str, predictions: str, label: str
) -> None:
    def choices(**given: Any) -> dict[str, str]:
        shown = form(scored, **given)["source"].view.choices
        return {one.value: one.label for one in shown}

    assert way not in choices()
    boxes = fo.Detections(
        detections=[fo.Detection(label="a", bounding_box=[0, 0, 1, 1])]
    )
    scored.set_values("boxes", [boxes.copy() for _ in scored])
    asked = {"label_field": "boxes", "source": way}
    assert choices(label_field="boxes")[way] == label
    assert problems(scored, **asked) == {}  # one class is enough
    assert request(scored, seed=3, **asked) == Settings(predictions=predictions, seed=3)
    given = request(scored, label_field="boxes", predictions=predictions)
    assert given.predictions == predictions
    said = problems(scored, source=way, label_field="ground_truth")
    assert "holds labels of whole images" in said["source"]


def test_zoo_models_are_offered_by_name(scored: Any) -> None:
    shown = form(scored, source="zoo")["zoo_model"]
    names = [choice.value for choice in shown.view.choices]
    assert names == models.zoo_names()
    assert params.DEFAULT_ZOO_MODEL in names
    assert problems(scored, source="zoo") == {}
    assert "zoo_model" in problems(scored, source="zoo", zoo_model="no-such-torch")
    name = "clip-vit-base32-torch"
    assert request(scored, source="zoo", zoo_model=name) == Settings(model=name)
    assert request(scored, model=name) == Settings(model=name)


def test_file_and_what_is_said_of_it_become_settings(
    scored: Any, exported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.FACTORIES, "other:make, a.b:c")
    assert problems(scored, model=exported) == {}
    settings = request(
        scored,
        source="file",
        model_path=exported,
        factory="a.b:c",
        layer="body",
        classes="x, y",
        depth="full",
        input_size=32,
        input_mode="BGR",
        input_mean="0.5",
        input_std="0.1, 0.2, 0.3",
        out_of_sample=True,
        zoo_model="left over",
    )
    assert settings == Settings(
        model=exported,
        trust_model_file=True,
        factory="a.b:c",
        layer="body",
        classes=("x", "y"),
        depth="full",
        preprocessing=Preprocessing(32, [0.5] * 3, [0.1, 0.2, 0.3], "BGR"),
        out_of_sample=True,
    )


def test_the_defaults_that_the_app_sends_say_nothing_of_the_input(
    scored: Any, exported: str
) -> None:
    own = {"source": "file", "model_path": exported, "advanced": True}
    shown = form(scored, **own)
    sent = {n: one.default for n, one in shown.items() if one.default is not None}
    assert {"depth", "seed"} <= {*sent}
    assert request(scored, **{**sent, **own}).preprocessing is None


def test_model_settings_are_asked_for_only_where_they_matter(scored: Any) -> None:
    every = {"depth", "layer", "classes", "input_size", "factory", "out_of_sample"}
    for source, asked in {
        "network": {"depth"},
        "embeddings": set(),
        "backbone": {"depth", "layer"},
        "file": every,
    }.items():
        assert every & set(form(scored, source=source, advanced=True)) == asked
    assert request(scored, source="backbone", classes="a,b").classes is None


@pytest.mark.parametrize(
    ("params", "name", "said"),
    [
        ({"classes": "only"}, "classes", "two or more different names"),
        ({"input_size": 0}, "input_size", "is not a whole number from 1 to 2048"),
        ({"input_mean": "1, 2"}, "input_size", "expected 3 finite numbers"),
        ({"input_std": "many"}, "input_size", "expected 3 finite numbers"),
        ({"depth": "deep"}, "depth", "depth='deep' is unknown"),
    ],
)
def test_model_settings_out_of_range_are_shown_and_refused(
    scored: Any, exported: str, params: dict[str, Any], name: str, said: str
) -> None:
    assert said in problems(scored, model=exported, **params)[name]


def test_files_that_hold_no_model_are_refused(scored: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    assert "cannot be opened" in problems(scored, model=str(path))["model_path"]
    assert "model='' is no file" in problems(scored, source="file")["model_path"]
    path.write_text("<html>")
    assert "no archive" in problems(scored, model=str(path))["model_path"]
    torch.save(nn.Linear(1, 1).state_dict(), path)
    assert "pass factory" in problems(scored, model=str(path))["model_path"]
    assert problems(scored, model=str(path), factory=RESNET) == {}


RESNET = "torchvision.models:resnet18"


def test_factories_are_those_that_the_environment_names(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "weights.pt"
    torch.save(nn.Linear(1, 1).state_dict(), path)
    source = f"import os; os.mkdir({str(mark)!r})\ndef build(): raise SystemExit(3)\n"
    (tmp_path / "made_hostile.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("made_hostile:build", "os:abort", "torchvision.models:list_models"):
        params = {"model": str(path), "factory": name}
        assert "operators may not call" in problems(scored, **params)["factory"]
        with pytest.raises(ExecutionError):
            foo.execute_operator(URI, dataset=scored, params=params)
        with pytest.raises(InputError, match="DFAULO_FACTORIES"):
            list(ComputeSuspiciousness().execute(context(scored, **params)))
    assert not mark.exists()
    monkeypatch.setenv(trust.FACTORIES, "made_hostile:build")
    params = {"model": str(path), "factory": "made_hostile:build"}
    assert problems(scored, **params) == {}
    with pytest.raises(ExecutionError, match="raised SystemExit: 3"):
        foo.execute_operator(URI, dataset=scored, params=params)
    assert mark.exists()


def test_programs_are_loaded_only_from_folders_that_the_environment_names(
    scored: Any, exported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, link = tmp_path / "trusted", tmp_path / "trusted" / "link.pt2"
    folder.mkdir()
    link.symlink_to(exported)
    monkeypatch.setenv(trust.MODELS, str(folder))
    for path in (exported, str(link), f"{folder}/../model.pt2"):
        said = problems(scored, model=path)["model_path"]
        assert "is a torch.export archive, which is a program" in said
    monkeypatch.delenv(trust.MODELS)
    assert "model_path" in problems(scored, model=exported)


@pytest.mark.parametrize("more", [{}, {"factory": "a:b"}, {"trust_model_file": True}])
def test_hostile_pickle_does_not_run_from_the_form_or_the_operator(
    scored: Any, tmp_path: Path, more: dict[str, Any]
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    before = snapshot(scored)
    for save in (torch.save, lambda one, to: Path(to).write_bytes(pickle.dumps(one))):
        save(Hostile(mark), path)
        for name in ("model", "model_path"):
            params = {name: str(path), **more}
            shown = problems(scored, **params)
            assert list(shown) == ["model_path"] or "factory" in more
            with pytest.raises((ExecutionError, InputError)):
                foo.execute_operator(URI, dataset=scored, params=params)
    assert not mark.exists()
    assert snapshot(scored) == before


def test_python_cannot_trust_model_files_through_the_operator(scored: Any) -> None:
    operator = ComputeSuspiciousness()
    with pytest.raises(InputError, match="unknown parameters trust_model_file"):
        operator(scored, model="a.pt", trust_model_file=True)
    with pytest.raises(InputError, match="model is a Linear; expected a name"):
        operator(scored, model=nn.Linear(1, 1))


def test_operator_scores_with_a_file(scored: Any, exported: str) -> None:
    result = foo.execute_operator(URI, dataset=scored, params={"model": exported})
    assert result.error is None
    scored.reload()
    settings = scored.get_brain_info("dfaulo").config.settings
    assert settings["model"] == exported
    assert scored.count("dfaulo_suspiciousness") == 38


def test_a_network_is_trained_as_well_where_both_can_be_judged(scored: Any) -> None:
    assert "train" not in form(scored)
    assert "train" in form(scored, source="embeddings")
    assert request(scored, source="backbone", train=True).train
    found = problems(scored, source="backbone", train=True, depth="full")
    assert "trains the only network again" in found["train"]
    tags = [
        fo.Classifications(classifications=[fo.Classification(label="x")] * (n % 2))
        for n in range(40)
    ]
    scored.set_values("topics", tags)
    of_tags = {"label_field": "topics", "source": "embeddings", "train": True}
    assert "train" not in form(scored, **of_tags)
    assert not request(scored, **of_tags).train
    assert problems(scored, **of_tags) == {}
