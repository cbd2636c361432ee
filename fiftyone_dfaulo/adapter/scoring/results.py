"""Makes the results of a run, which are what is written."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo._version import __version__
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig, DFauLoResults
from fiftyone_dfaulo.adapter.runs.multilabel_results import TagResults
from fiftyone_dfaulo.adapter.scoring.features import ScoredItems
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.labels import ClassLabels, MultiLabels

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.multi_label import TagScores
    from fiftyone_dfaulo.engine.scores import Scores


def make_results(
    request: Request,
    target: Place,
    items: ScoredItems,
    scores: Scores | TagScores,
    seconds: dict[str, float],
) -> DFauLoResults:
    """The results of a run.

    Args:
        request: what was asked for.
        target: where the labels lie.
        items: what was scored.
        scores: of these items, of the kind that their labels are scored with.
        seconds: name of a stage to the seconds that it took.
    """
    results, own_values = _KINDS[type(items.labels)]
    return results(
        request.samples,
        _make_config(request, target),
        request.brain_key,
        ids=items.ids,
        labels=items.labels.numbers,
        classes=items.labels.classes,
        suspiciousness=scores.suspiciousness,
        suggestions=scores.suggestion,
        reasons=scores.reasons,
        unlabeled=items.unlabeled,
        unreadable=items.unreadable,
        estimated_faults=scores.estimated_faults,
        notes=scores.notes,
        seconds=seconds,
        **own_values(items, scores),
    )


def _of_classes(items: ScoredItems, scores: Scores) -> dict[str, Any]:
    from fiftyone_dfaulo.engine.method.reasons import REASONS

    return {
        "confidence": scores.confidence,
        "reason_names": REASONS,
        "signals": scores.signals,
        "signal_names": scores.signal_names,
        "near_duplicates": {
            items.ids[n]: items.ids[scores.near_duplicate_of[n]]
            for n in np.flatnonzero(scores.near_duplicate_of >= 0)
        },
    }


def _of_tags(items: ScoredItems, scores: TagScores) -> dict[str, Any]:
    from fiftyone_dfaulo.engine.method.multi_label import REASONS

    return {
        "given": scores.given,
        "hard": scores.hard,
        "confidence": scores.suspiciousness.astype(np.float32),
        "reason_names": REASONS,
        "signals": scores.tags,
        "signal_names": items.labels.classes,
    }


_KINDS: dict[type, tuple[type[DFauLoResults], Callable[..., dict[str, Any]]]] = {
    ClassLabels: (DFauLoResults, _of_classes),
    MultiLabels: (TagResults, _of_tags),
}
"""Kind of labels to the class of their results, and what gives its own values."""


def _make_config(request: Request, target: Place) -> DFauLoConfig:
    source = request.embeddings
    return DFauLoConfig(
        request.label_field,
        request.settings.to_dict(),
        embeddings=source if source is None or isinstance(source, str) else "array",
        versions=_versions(),
        list_path=target.list_path,
        frames=target.frames,
        tags_path=target.tags_path,
    )


def _versions() -> dict[str, str | None]:
    """Versions of what the scores depend on."""
    found: dict[str, str | None] = {"fiftyone_dfaulo": __version__}
    for name in ("fiftyone", "torch", "torchvision", "scikit-learn", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
