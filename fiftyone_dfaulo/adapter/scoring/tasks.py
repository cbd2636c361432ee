"""What every way to score takes, and what it leaves of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.progress import Stages
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.scores import Scores

VECTORS = "Reading embeddings"
PREDICTIONS = "Reading predictions"
DECODING = "Decoding images"
TRAINING = "Training the network"
EMBEDDING = "Embedding images"
SCORING = "Scoring with mutants"
RETRAINING = "Training without the most suspicious"
RESCORING = "Scoring with full mutants"
"""The stages of a run, as its progress calls them."""


@dataclass(frozen=True)
class Task:
    """What every way to score takes; ``model`` as ``compute_suspiciousness`` does."""

    samples: Any
    place: Place
    labelled: Labelled
    embeddings: Any
    settings: Settings
    stages: Stages
    model: Any = None


@dataclass(frozen=True)
class Usable:
    """The labelled items that could be read, with classes that all occur."""

    ids: list[str]
    labels: np.ndarray
    classes: list[str]
    unlabeled: list[str]
    unreadable: dict[str, str]

    def scored(self, scores: Scores | MultiLabelScores) -> dict[str, Any]:
        """What results of any kind are made of, by the names of their arguments."""
        return {
            "ids": self.ids,
            "labels": self.labels,
            "classes": self.classes,
            "suspiciousness": scores.suspiciousness,
            "suggestions": scores.suggestion,
            "reasons": scores.reasons,
            "unlabeled": self.unlabeled,
            "unreadable": self.unreadable,
            "estimated_faults": scores.estimated_faults,
            "notes": scores.notes,
        }


def usable_samples(
    labelled: Labelled, index: np.ndarray, unreadable: Mapping[int, str]
) -> Usable:
    """Narrows the items down to those that could be read.

    Args:
        labelled: all labelled items.
        index: positions of those that could be read.
        unreadable: position to reason of the others.

    Raises:
        InputError: if fewer than two classes are left.
    """
    used, labels = np.unique(labelled.labels[index], return_inverse=True)
    reasons = {labelled.ids[n]: reason for n, reason in unreadable.items()}
    if len(used) < 2:
        example = next(iter(reasons.items()), ("", ""))
        raise InputError(
            f"{len(reasons)} of {len(labelled.ids)} labelled images could not be read "
            f"and {len(used)} of {len(labelled.classes)} classes are left; expected at "
            "least two. The first that could not be read is "
            f"{example[0]}: {example[1]}"
        )
    return Usable(
        ids=[labelled.ids[n] for n in index],
        labels=labels.astype(np.int64),
        classes=[labelled.classes[n] for n in used],
        unlabeled=labelled.unlabeled,
        unreadable={**labelled.unreadable, **reasons},
    )


def decode(task: Task, size: int | None) -> tuple[Usable, np.ndarray]:
    """The items that could be read, and their images, uint8 (N, S, S, 3).

    Args:
        task: what to score.
        size: side S in pixels; None picks it from the images.

    Raises:
        InputError: if fewer than two classes are left.
    """
    from fiftyone_dfaulo.engine.images import batches

    with task.stages.stage(DECODING) as report:
        decoded = batches.decode_images(
            task.labelled.paths,
            size=size,
            workers=task.settings.workers,
            memory_budget=task.settings.memory_budget,
            report=report,
        )
    usable = usable_samples(task.labelled, decoded.index, decoded.unreadable)
    return usable, decoded.pixels
