"""The plugin, registered with FiftyOne from a link to this repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _alone(nobody_else: None) -> None:
    """Most tests are alone on their dataset."""


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets FiftyOne find the plugin, and only it."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "dfaulo").symlink_to(ROOT, target_is_directory=True)
    monkeypatch.setattr(fo.config, "plugins_dir", str(folder))
    monkeypatch.setenv("DFAULO_EXPORTS", str(tmp_path))


@pytest.fixture
def scored(make_dataset: Callable[..., Any]) -> Any:
    """40 images of 2 classes with embeddings, of which sample 7 has the wrong label.

    Samples 20 and 39 have no label, samples 38 and 39 no embedding.
    """
    labels: list[str | None] = [*"ab" * 20]
    labels[7], labels[20], labels[39] = "a", None, None
    dataset = make_dataset(labels)
    rng = np.random.default_rng(51)
    vectors = rng.normal(size=(40, 4)) + np.tile([[4.0], [-4.0]], (20, 1))
    dataset.set_values("vectors", [*vectors[:38].tolist(), None, None])
    return dataset
