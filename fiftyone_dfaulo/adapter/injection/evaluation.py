"""How good a run's ranking is, where it is known which samples are faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection.truth import (
    kind_of,
    read_object_truth,
    read_truth,
)
from fiftyone_dfaulo.adapter.reading.injection_record import find_record
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.engine.feedback import metrics
from fiftyone_dfaulo.engine.feedback.metrics import AT_FAULTS
from fiftyone_dfaulo.engine.injection.box_plans import BOX_KINDS
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
        by_kind: of planted faults of boxes, kind to its figures: ``faults``, ``AP``
            against all that is right, and ``estimated``, how many the run says.
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
        by_kind: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(figures)
        self.found = np.zeros(0, bool) if found is None else found
        self.real: Any = None
        self.with_real: dict[str, float] = {}
        self.by_kind = {kind: dict(some) for kind, some in (by_kind or {}).items()}
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
        for kind, some in self.by_kind.items():
            lines.append(
                f"{kind}: {some['faults']} faults, AP {some['AP']:.3f}, "
                f"{some['estimated']} estimated"
            )
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
            labels that the run scored. Samples where it is None do not count. Of a run
            on objects, a boolean attribute of theirs; of planted faults of boxes,
            objects that were taken away count as well: found where a candidate overlaps
            them by a half, else last in the ranking.

    Returns:
        :class:`Evaluation`, a dict of the metrics; print it for a table.

    Raises:
        InputError: if the field does not exist, is of another type, or all ranked
            samples are faults, or none is; or if the run has scored several labels a
            sample, or objects, and the field is not boolean.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> figures = dfaulo.evaluate_ranking(dataset, fault_field="truth")
        >>> figures["faults"], figures["AP"]
        (6, 1.0)
    """
    return evaluate(open_review(samples, brain_key, "suspiciousness"), fault_field)


def evaluate(review: ReviewSession, fault_field: str) -> Evaluation:
    """As :func:`evaluate_ranking`, in a review that is open."""
    objects = review.target.patches_field is not None
    if objects:
        check_fault_attribute(review, fault_field)
    else:
        check_fault_field(review.dataset, review.target, fault_field)
    score, noun = review.fields.suspiciousness, review.target.noun
    read = read_object_truth if objects else read_truth
    truth = read(review, fault_field)
    ranked = [one for one in truth if one.score is not None]
    faults = np.array([one.fault for one in ranked], bool)
    if not faults.any() or faults.all():
        raise InputError(
            f"fault_field={fault_field!r} says that {int(faults.sum())} of the "
            f"{len(faults)} ranked {noun}s are faults; expected some that are and some "
            f"that are not. Those where the field is None, or {score!r}, do not count"
        )
    scores = np.array([one.score for one in ranked], float)
    figures = {
        "samples": len(ranked),
        "faults": int(faults.sum()),
        "unranked": len(truth) - len(ranked),
        **metrics.evaluate(scores, faults),
    }
    kinds = np.array([one.kind for one in ranked], object)
    by_kind = _by_kind(review, scores, faults, kinds) if any(kinds) else None
    found = faults[metrics.order(scores)]
    return Evaluation(figures, metrics.curves(found), found=found, by_kind=by_kind)


def _by_kind(
    review: ReviewSession, scores: np.ndarray, faults: np.ndarray, kinds: np.ndarray
) -> dict[str, dict[str, float]]:
    """How each kind of planted faults of boxes is found and counted."""
    results = review.load_results()
    counts = dict(zip(BOX_KINDS, results.estimate_by_kind().values()))
    found = {}
    for kind in BOX_KINDS:
        some = ~faults | (kinds == kind)
        if faults[some].any():
            figures = metrics.evaluate(scores[some], faults[some])
            found[kind] = {
                "faults": int(faults[some].sum()),
                "AP": figures["AP"],
                "estimated": counts.get(kind, 0),
            }
    return found


def check_fault_attribute(review: ReviewSession, fault_field: object) -> None:
    """Makes sure that the objects of a run have an attribute with the truth.

    Raises:
        InputError: if they do not.
    """
    name = fault_field if isinstance(fault_field, str) and fault_field else "_id"
    first = next(review.find(None, {name: {"$ne": None}}, name), {})
    value = first.get(name) if name == fault_field else None
    if not isinstance(value, bool):
        what = "is none of them" if value is None else f"holds {value!r}"
        raise InputError(
            f"brain run {review.key!r} has scored objects; expected a boolean "
            f"attribute of them, such as 'injected_fault', and "
            f"fault_field={fault_field!r} {what}"
        )


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
        if kind_of(field) in kinds and name != "filepath"
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
    if field is None or kind_of(field) not in _KINDS or "." in fault_field:
        what = f"is a {kind_of(field).__name__}" if known else "does not exist"
        raise InputError(
            f"fault_field={fault_field!r} {what}; expected a boolean field, or one of "
            "true labels. Such fields here: "
            f"{', '.join(list_fault_fields(dataset, target)) or 'none'}"
        )
    if not target.one_class_a_sample and kind_of(field) is not fo.BooleanField:
        raise InputError(
            f"fault_field={fault_field!r} holds one label a sample, and "
            f"{target.label_field!r} does not; pass a boolean field that says whether "
            "any of its labels is wrong or missing"
        )
