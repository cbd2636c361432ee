"""How good a run's ranking is, where it is known which samples are faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Field, Samples
from fiftyone_dfaulo.adapter.reading.injection_record import find_record
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.storage.items import LABEL
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.engine.feedback import metrics
from fiftyone_dfaulo.engine.feedback.metrics import AT_FAULTS
from fiftyone_dfaulo.errors import InputError

_KINDS = (fo.BooleanField, fo.StringField, fo.Classification)


class Evaluation(dict[str, float]):
    """The metrics of a ranking, by name, with what is needed to plot it.

    The keys are those of :func:`.metrics.evaluate`, and
    ``samples`` and ``faults`` (numbers of ranked samples, and of faults among them)
    and ``unranked`` (number of samples whose truth is known and that have no score).

    Attributes:
        curve: ``reviewed``, ``precision`` and ``recall``, lists of equal length. An
            entry of ``reviewed`` is a number of samples from the top of the ranking.
            ``precision`` is the share of them that are faults, ``recall`` the share of
            all faults that are among them.
        notes: plain sentences to read with the figures.
        found: bool (N,), whether the sample at each rank is a fault.
        real: of planted faults, how many others there were before: a tuple with
            ``known``, ``others``, ``low`` and ``high``; else None.
        with_real: the metrics that change if those are counted as faults, as they are
            no false alarms: ``AP`` and the precisions; empty if ``real`` is None.
    """

    def __init__(
        self,
        figures: Mapping[str, float],
        curve: Mapping[str, list[float]],
        notes: Sequence[str] = (),
        found: np.ndarray | None = None,
    ) -> None:
        super().__init__(figures)
        self.found = np.zeros(0, bool) if found is None else found
        self.real: Any = None
        self.with_real: dict[str, float] = {}
        self.curve = dict(curve)
        self.notes = list(notes)

    def plot(self) -> dict[str, Any]:
        """Precision and recall against the number reviewed.

        Returns:
            ``data`` and ``layout``, JSON for plotly:
            ``plotly.graph_objects.Figure(**evaluation.plot())`` shows it.
        """
        names = {"precision": "of those, faults", "recall": "of all faults, found"}
        data = [
            {
                "type": "scatter",
                "mode": "lines",
                "x": self.curve["reviewed"],
                "y": self.curve[name],
                "name": text,
                "hovertemplate": "%{y:.0%} " + text + "<extra></extra>",
            }
            for name, text in names.items()
        ]
        last = min(self["samples"], 5 * self["faults"])
        layout = {
            "xaxis": {"title": {"text": "samples reviewed"}, "range": [0, last]},
            "yaxis": {"range": [0, 1.02], "tickformat": ".0%"},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.15},
            "hovermode": "x unified",
            "margin": {"l": 50, "r": 15, "t": 35, "b": 45},
            "height": 300,
        }
        return {"data": data, "layout": layout}

    def __str__(self) -> str:
        lines = [
            f"{self['faults']} faults among {self['samples']} ranked samples; "
            f"reviewing as many as there are faults finds {self[AT_FAULTS]:.0%} of them"
        ]
        for name, value in self.items():
            figure = f"{value:.3f}" if isinstance(value, float) else f"{value}"
            other = self.with_real.get(name)
            also = "" if other is None else f"  {other:.3f} with the real faults"
            lines.append(f"{name:<22}{figure:>8}{also}")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


@public
def evaluate_ranking(
    samples: Samples, brain_key: str = "dfaulo", *, fault_field: str
) -> Evaluation:
    """Compares a run's ranking, as it is now, with the truth.

    Args:
        samples: a dataset or view; of a view, only its own samples count.
        brain_key: the key of the run.
        fault_field: where the truth is: a boolean field, True for a fault, such as
            ``"injected_fault"`` of :func:`fiftyone_dfaulo.inject_faults`; or a field
            of true labels, classifications or strings, which are compared with the
            labels that the run scored. Samples where it is None do not count.

    Returns:
        :class:`Evaluation`, a dict of the metrics; print it for a table.

    Raises:
        InputError: if the field does not exist, is of another type, or all ranked
            samples are faults, or none is; if the run has scored objects; or if it has
            scored several labels a sample and the field is not boolean.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> figures = dfaulo.evaluate_ranking(dataset, fault_field="truth")
        >>> figures["faults"], figures["AP"]
        (6, 1.0)
    """
    return evaluate(open_review(samples, brain_key, "suspiciousness"), fault_field)


def evaluate(review: ReviewSession, fault_field: str) -> Evaluation:
    """As :func:`evaluate_ranking`, in a review that is open."""
    review.check_of_samples()
    check_fault_field(review.dataset, review.target, fault_field)
    score = review.fields.suspiciousness
    truth = _read_truth(review, fault_field)
    ranked = [one for one in truth if one.score is not None]
    faults = np.array([one.fault for one in ranked], bool)
    if not faults.any() or faults.all():
        raise InputError(
            f"fault_field={fault_field!r} says that {int(faults.sum())} of the "
            f"{len(faults)} ranked samples are faults; expected some that are and some "
            f"that are not. Samples where the field is None, or {score!r}, do not count"
        )
    scores = np.array([one.score for one in ranked], float)
    figures = {
        "samples": len(ranked),
        "faults": int(faults.sum()),
        "unranked": len(truth) - len(ranked),
        **metrics.evaluate(scores, faults),
    }
    found = faults[metrics.order(scores)]
    return Evaluation(figures, metrics.curves(found), found=found)


def list_fault_fields(dataset: Dataset, target: LabelTarget) -> list[str]:
    """The fields that may say what is a fault; that of planted faults comes first.

    Args:
        dataset: the dataset.
        target: the labels that a run has scored. If a sample has several, only boolean
            fields will do.
    """
    record = None if target.frames else find_record(dataset)
    first = [] if record is None else [record.fields.fault]
    kinds = _KINDS if target.one_class_a_sample else (fo.BooleanField,)
    names = [
        name
        for name, field in target.storage(dataset).schema().items()
        if _kind(field) in kinds and name != "filepath"
    ]
    return list(dict.fromkeys([n for n in first if n in names] + names))


def check_fault_field(dataset: Dataset, target: LabelTarget, fault_field: Any) -> None:
    """Makes sure that a field exists and is of a type that can hold the truth.

    Raises:
        InputError: if it does not.
    """
    storage = target.storage(dataset)
    known = isinstance(fault_field, str) and storage.has_field(fault_field)
    field = storage.get_field(fault_field) if known else None
    if field is None or _kind(field) not in _KINDS or "." in fault_field:
        what = f"is a {_kind(field).__name__}" if known else "does not exist"
        raise InputError(
            f"fault_field={fault_field!r} {what}; expected a boolean field, or one of "
            "true labels. Such fields here: "
            f"{', '.join(list_fault_fields(dataset, target)) or 'none'}"
        )
    if not target.one_class_a_sample and _kind(field) is not fo.BooleanField:
        raise InputError(
            f"fault_field={fault_field!r} holds one label a sample, and "
            f"{target.label_field!r} does not; pass a boolean field that says whether "
            "any of its labels is wrong or missing"
        )


def _kind(field: Field) -> type:
    kind: type = getattr(field, "document_type", type(field))
    return kind


class _Truth(NamedTuple):
    id: str
    score: float | None
    fault: bool


def _read_truth(review: ReviewSession, fault_field: str) -> list[_Truth]:
    """The samples whose truth is known, by id."""
    score = review.fields.suspiciousness
    known = {fault_field: {"$ne": None}}
    within = review.ids_in(review.samples)
    found = review.find(within, known, score, fault_field, LABEL)
    items = {str(item["_id"]): item for item in found}
    kind = _kind(review.storage.get_field(fault_field))
    scored = {} if kind is fo.BooleanField else _scored_labels(review)
    entries = []
    for one, item in sorted(items.items()):
        truth, given = item[fault_field], review.target.label_text(item.get(LABEL))
        if kind is fo.Classification:
            truth = truth.get("label")
        if kind is not fo.BooleanField:
            truth = None if truth is None else truth != scored.get(one, given)
        if truth is not None:
            entries.append(_Truth(one, item.get(score), bool(truth)))
    return entries


def _scored_labels(review: ReviewSession) -> dict[str, str]:
    """The labels that the run scored, by sample; they may have changed since."""
    results = review.load_results()
    return dict(zip(results.ids, results.label_texts()))
