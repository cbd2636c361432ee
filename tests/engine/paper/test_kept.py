"""The paper's method, killed and called again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Keeper, Work
from fiftyone_dfaulo.engine.network.training import train_network
from fiftyone_dfaulo.engine.paper import method
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.scores import Scores
from tests.engine.paper.stand_ins import make_images


class Killed(Exception):
    """What ends a run in its midst."""


@pytest.mark.parametrize("moments", [(0.05,), (0.2, 0.45), (0.6, 0.97)])
def test_it_goes_on_where_it_was_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: tuple[float, ...]
) -> None:
    labels = np.arange(150) % 3
    pixels = make_images(labels, 8)
    settings = Settings(method="paper", epochs=1)
    network = train_network(pixels, labels, 3, settings=settings)
    steps: list[int] = []
    descend = method.cross_entropy

    def counted(*args: Any) -> Any:
        steps.append(1)
        return descend(*args)

    monkeypatch.setattr(method, "cross_entropy", counted)

    def score(
        work: Work, report: StageReport = silent_stage, seed: int = 51
    ) -> tuple[Scores, int]:
        steps.clear()
        scores = method.score(
            pixels,
            labels,
            3,
            network=network,
            settings=Settings(method="paper", seed=seed),
            work=work,
            report=report,
        )
        return scores, len(steps)

    def kept() -> Work:
        return Work(Keeper(Folder(tmp_path), RunOf("5f", "digits", "dfaulo")))

    usual, every = score(UNKEPT)
    for moment in moments:

        def until(fraction: float, moment: float = moment) -> None:
            if fraction >= moment:
                raise Killed

        with pytest.raises(Killed):
            score(kept(), until)
    found, rest = score(kept())
    assert rest <= every * (1 - max(moments) + 0.2)  # errors come first
    for name in ("suspiciousness", "confidence", "signals", "reasons"):
        assert getattr(found, name).tobytes() == getattr(usual, name).tobytes()

    monkeypatch.setattr(method, "reconstruction_errors", None)  # they are kept
    work = kept()
    assert score(work)[1] == 0
    assert work.notes.count("A mutant had been trained for 10 of 10 epochs.") == 3
    monkeypatch.undo()
    assert score(kept(), seed=1)[0].signals.tobytes() != usual.signals.tobytes()
