"""Settings: checked when made, JSON both ways."""

import json

import numpy as np
import pytest

from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.errors import DFauLoError, InputError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "magic"),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", True),
        ("image_size", 7),
        ("image_size", 65),
        ("epochs", 0),
        ("batch_size", 0),
        ("num_workers", 0),
        ("memory_budget", "2 GB"),
        ("model", object()),
        ("device", 0),
    ],
)
def test_a_bad_value_is_an_error_that_names_it(name, value):
    with pytest.raises(InputError, match=name):
        Settings(**{name: value})


def test_the_paper_s_method_takes_no_pretrained_model():
    with pytest.raises(InputError, match="trains its own network"):
        Settings(method="paper", model="resnet18")


def test_integers_of_numpy_will_do():
    settings = Settings(seed=np.int64(5))
    assert json.loads(json.dumps(settings.to_dict()))["seed"] == 5


def test_settings_survive_json():
    settings = Settings(seed=3, model="resnet18", device="cpu")
    stored = json.loads(json.dumps(settings.to_dict()))
    assert Settings.from_dict(stored) == settings


def test_settings_of_a_model_survive_json():
    settings = Settings(
        model="a.pt",
        factory="package.module:build",
        layer="<fc",
        classes=["x", "y"],
        preprocessing={"size": 8, "mean": 0.5, "std": [0.1, 0.2, 0.3]},
        depth="full",
        out_of_sample=True,
    )
    assert settings.preprocessing == Preprocessing(8, [0.5] * 3, [0.1, 0.2, 0.3])
    stored = json.loads(json.dumps(settings.to_dict()))
    assert Settings.from_dict(stored) == settings


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size": 0}, "size=0"),
        ({"mode": "HSV"}, "mode='HSV' is unknown"),
        ({"mean": [1, 2]}, "expected 3 finite numbers"),
        ({"std": 0}, "expected numbers above 0"),
        ({"mean": float("nan")}, "expected 3 finite numbers"),
        ({"mode": "L", "mean": [1, 2, 3]}, "expected 1 finite numbers"),
        ({"crop": 7}, "preprocessing has no crop"),
    ],
)
def test_preprocessing_that_makes_no_sense_is_an_error(values, said):
    with pytest.raises(InputError, match=said):
        Settings(model="a", preprocessing=values)


def test_settings_of_a_later_version_lose_what_this_one_does_not_know():
    assert Settings.from_dict({"seed": 3, "telepathy": True}) == Settings(seed=3)


def test_workers_are_as_many_as_said_and_else_at_most_eight():
    assert Settings(num_workers=3).workers == 3
    assert 1 <= Settings().workers <= 8


def test_input_errors_are_value_errors_too():
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, DFauLoError)
