"""Makes the results of a run, which are what is written."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from fiftyone_dfaulo._version import __version__
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.scoring.features import ScoredItems
from fiftyone_dfaulo.adapter.scoring.request import Request, as_sources
from fiftyone_dfaulo.adapter.targets.base import LabelTarget

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.scores import Scores


def make_results(
    request: Request,
    target: LabelTarget,
    items: ScoredItems,
    scores: Scores | MultiLabelScores,
    seconds: dict[str, float],
) -> DFauLoResults:
    """The results of a run.

    Args:
        request: what was asked for.
        target: the labels that were scored.
        items: what was scored.
        scores: of these items, of the kind that their labels are scored with.
        seconds: name of a stage to the seconds that it took.
    """
    return target.results_type(
        request.samples,
        _make_config(request, target),
        request.brain_key,
        ids=items.ids,
        classes=items.labels.classes,
        suspiciousness=scores.suspiciousness,
        reasons=scores.reasons,
        unlabeled=items.unlabeled,
        unreadable=items.unreadable,
        notes=scores.notes,
        seconds=seconds,
        neighbours=items.neighbours,
        **items.labels.result_values(items.ids, scores),
    )


def _make_config(request: Request, target: LabelTarget) -> DFauLoConfig:
    names = as_sources(request.embeddings)
    named = [one if isinstance(one, str) else "array" for one in names]
    return DFauLoConfig(
        request.label_field,
        request.settings.to_dict(),
        embeddings=named if len(named) > 1 else next(iter(named), None),
        versions=_versions(),
        learned_from=request.learn_from,
        label_target=target.to_dict(),
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
