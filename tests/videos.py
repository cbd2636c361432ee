"""Small datasets of videos with labels on their frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from tests.adapter.conftest import vectors
from tests.conftest import draw

VIDEOS, LENGTH = 3, 20
FAULTS = (0, 21, 42)
"""Positions of the frames whose label is wrong, in the order of the videos."""


def build_videos(folder: Path, *, objects: bool = False) -> Any:
    """3 videos of 20 frames of classes a, b, c, whose images lie there already.

    There are no video files, as nothing reads them. Frames have an embedding in
    ``emb``, what they are in ``truth``, and their label in ``label`` or, with
    ``objects``, in the first of two boxes in ``boxes``.

    Args:
        folder: where to write the images.
        objects: whether the labels are Detections, which have an ``emb`` too.
    """
    truth = np.arange(VIDEOS * LENGTH) % 3
    given = truth.copy()
    for position in FAULTS:
        given[position] = (truth[position] + 1) % 3
    embeddings, rng = vectors(truth), np.random.default_rng(51)
    dataset = fo.Dataset()
    for v in range(VIDEOS):
        images = folder / f"video{v}"
        images.mkdir(exist_ok=True)
        sample = fo.Sample(
            filepath=f"{images}.mp4",
            metadata=fo.VideoMetadata(frame_rate=10, total_frame_count=LENGTH),
        )
        for f in range(LENGTH):
            n = v * LENGTH + f
            draw(images / f"{f + 1:06}.jpg", int(truth[n]), rng)
            label, right = "abc"[given[n]], "abc"[truth[n]]
            sample.frames[f + 1] = fo.Frame(
                emb=embeddings[n].tolist(),
                truth=right,
                **(_boxes(label, right) if objects else _whole(label)),
            )
        dataset.add_sample(sample)
    if objects:
        dataset.add_dynamic_frame_fields()
    return dataset


def _whole(label: str) -> dict[str, Any]:
    return {"label": fo.Classification(label=label)}


def _boxes(label: str, right: str) -> dict[str, Any]:
    vector = [4.0 * (name == right) for name in "abc"]
    boxes = [
        fo.Detection(label=one, bounding_box=[left, 0, 0.5, 1], emb=vector)
        for one, left in ((label, 0), (right, 0.5))
    ]
    return {"boxes": fo.Detections(detections=boxes)}


def fault_ids(videos: Any) -> set[str]:
    """Ids of the frames whose label is wrong."""
    ids = videos.values("frames.id", unwind=True)
    return {ids[n] for n in FAULTS}
