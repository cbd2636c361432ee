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
from fiftyone_dfaulo.engine.images.decoding import Crop


@contextmanager
def keeping(path: Path | None) -> Iterator[None]:
    """Runs with ``predictions="auto"`` take from a file what the detector and the
    network see, or write it.

    Args:
        path: the npz file of the case and its seed; None keeps nothing.
    """
    if path is None:
        yield
        return
    detect, judge = trained._detect, trained.DetectorMethod._judge_classes
    classify = TrainedNetwork.classify
    kept: dict[str, np.ndarray] = dict(np.load(path)) if path.exists() else {}
    known = bool(kept)
    every: list[Crop] = []

    def detected(context: Any, files: Sequence[str], given: Any) -> Any:
        if not known:
            there, confidence, damaged = detect(context, files, given)
            assert not damaged
            kept.update(images=there.images, boxes=there.boxes, confidence=confidence)
        there = Boxes(kept["images"], kept["boxes"])
        places = zip(there.images, there.boxes.tolist())
        every[:] = [Crop(files[image], tuple(box)) for image, box in places]
        return there, kept["confidence"], {}

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

    trained._detect = detected
    trained.DetectorMethod._judge_classes = judged  # type: ignore
    TrainedNetwork.classify = classified  # type: ignore
    try:
        yield
    finally:
        trained._detect = detect
        trained.DetectorMethod._judge_classes = judge  # type: ignore[method-assign]
        TrainedNetwork.classify = classify  # type: ignore[method-assign]
    if not known:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **kept)  # type: ignore[arg-type]
