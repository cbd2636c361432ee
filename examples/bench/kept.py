"""Keeps what was trained on a case, so that only the scoring is done anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.scoring.boxes import trained
from fiftyone_dfaulo.adapter.scoring.model_sources import TrainedNetwork
from fiftyone_dfaulo.engine.boxes.classes import ClassFaults
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.probes import CloserLook
from fiftyone_dfaulo.engine.images.decoding import Crop

ANY, CLOSER = "any.", "closer."
"""What the names of arrays begin with: boxes anywhere, and what else a look has."""


@contextmanager
def keeping(path: Path | None) -> Iterator[None]:
    """Runs with ``predictions="auto"`` take from a file what the networks see, or write
    it; those with ``"look"`` take it.

    Args:
        path: the npz file of the case and its seed; None keeps nothing.
    """
    if path is None:
        yield
        return
    see, judge = trained._see, trained.DetectorMethod._judge_classes
    classify = TrainedNetwork.classify
    kept: dict[str, np.ndarray] = dict(np.load(path)) if path.exists() else {}
    known = bool(kept)
    every: list[Crop] = []

    def seen(*args: Any) -> trained._Seen:
        if not known:
            found = see(*args)
            assert not found.damaged
            kept.update(found.there._asdict(), confidence=found.confidence)
            closer = found.closer._asdict()
            for start, parts in (
                (ANY, closer.pop("empty")._asdict()),
                (CLOSER, closer),
            ):
                kept.update({start + name: part for name, part in parts.items()})
        there = Boxes(kept["images"], kept["boxes"])
        places = zip(there.images, there.boxes.tolist())
        every[:] = [Crop(args[1][image], tuple(box)) for image, box in places]
        empty = Boxes(**_parts(kept, ANY))
        looked = CloserLook(empty=empty, **_parts(kept, CLOSER))
        if not args[3]:  # no detector
            there = there.take(np.zeros(0, int))
        return trained._Seen(there, kept["confidence"][: len(there.images)], looked, {})

    def judged(self: Any, *args: Any) -> Any:
        if not known:
            faults, classes, _ = judge(self, *args)
            kept.update(wrong=faults.wrong, seen=faults.seen, right=faults.right)
            kept.update(known=classes)
        faults = ClassFaults(kept["wrong"], kept["seen"], kept["right"])
        return faults, kept["known"], trained._ClassesJudged()

    def classified(self: Any, crops: Sequence[Crop], settings: Any) -> np.ndarray:
        if "classes" not in kept:
            kept["classes"] = classify(self, every, settings)
        row = {one: n for n, one in enumerate(every)}
        return kept["classes"][[row[one] for one in crops]]

    trained._see = seen  # type: ignore[assignment]
    trained.DetectorMethod._judge_classes = judged  # type: ignore
    TrainedNetwork.classify = classified  # type: ignore
    try:
        yield
    finally:
        trained._see = see
        trained.DetectorMethod._judge_classes = judge  # type: ignore[method-assign]
        TrainedNetwork.classify = classify  # type: ignore[method-assign]
    if not known:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **kept)  # type: ignore[arg-type]


def _parts(kept: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(start): part
        for name, part in kept.items()
        if name.startswith(start)
    }
