"""A person brings a model's file: a hostile one is refused, a sound one scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import expect
from torch import nn

from tests.app.app_tools import App
from tests.app.test_compute import watch
from tests.engine.models.test_file_format import Hostile


def test_pickle_is_refused_on_the_screen_and_an_exported_network_scores(
    app: App, digits: Any, tmp_path: Path, environment: dict[str, str]
) -> None:
    mark, hostile = tmp_path / "executed", tmp_path / "hostile.pt"
    torch.save(Hostile(mark), hostile)
    sound = Path(environment["DFAULO_TRUSTED_MODELS"], "model.pt2")
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    batch = torch.export.Dim("batch", min=1, max=4096)
    images = (torch.zeros(2, 3, 8, 8),)
    program = torch.export.export(network, images, dynamic_shapes=({0: batch},))
    torch.export.save(program, sound)

    app.open_form()
    app.form.get_by_text("Use a model of yours, from a file").click()
    app.fill("Model file", str(hostile))
    expect(app.form.get_by_text("is a pickled object")).to_be_visible()
    expect(app.button("Execute")).to_be_disabled()
    app.photograph("pickled model refused")
    app.fill("Model file", str(sound))
    expect(app.button("Execute")).to_be_enabled()
    app.photograph("model file")
    app.button("Execute").click()
    watch(app)

    digits.reload()
    assert "598 samples" in app.message.inner_text()
    settings = digits.get_brain_info("dfaulo").config.settings
    assert settings["model"] == str(sound)
    assert digits.count("dfaulo_suspiciousness") == 598
    assert not mark.exists()
