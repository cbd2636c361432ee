"""Why an item is suspicious: what it is compared with, and what the models say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.boxes import DEEDS, BoxResults
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.verdicts import EXCLUDE
from fiftyone_dfaulo.adapter.storage.items import CLASS
from fiftyone_dfaulo.engine.neighbours import MOST, NEAREST


@dataclass(frozen=True)
class Explanation:
    """What speaks for the label of a sample, or object, and what against it.

    Attributes:
        label: its label now, or labels, as one text; None if it has none.
        suggestion: what it looks like to models that did not learn from it; where
            samples have several labels, which to remove and to add; None for nothing.
        suggested_label: the label, or labels, that it would have then, as one text.
        confidence: in [0, 1], how likely the suggestion is right.
        reasons: why it is suspicious, as in ``<key>_reasons``.
        nearest: label to how many of its 10 nearest neighbours have it now, commonest
            first; empty if its neighbours are not known.
        unknown: why they are not; empty if they are.
        like_label: ids of its nearest neighbours that have the label that was scored,
            at most 10. Those that somebody has confirmed come first, then the nearest;
            those that are probably wrong, or found faulty or excluded, are left out.
        like_suggestion: the same of those that have the suggested label.
        near_duplicate: id of the sample that is nearly the same but has another label;
            None if there is none.
        other_label: the label of that one now.
    """

    label: str | None
    suggestion: str | None
    suggested_label: str | None
    confidence: float
    reasons: list[str] = field(default_factory=list)
    nearest: dict[str, int] = field(default_factory=dict)
    unknown: str = ""
    like_label: list[str] = field(default_factory=list, repr=False)
    like_suggestion: list[str] = field(default_factory=list, repr=False)
    near_duplicate: str | None = None
    other_label: str | None = None

    @property
    def words(self) -> list[str]:
        """The evidence in plain sentences."""
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self.suggestion is None:
            yield f"Labelled {self.label}; models see nothing else."
        elif self.suggestion in DEEDS:
            what = " and ".join(self.reasons) or self.suggestion
            told = f"{what[0].upper()}{what[1:]} ({self.confidence:.0%})."
            yield f"Labelled {self.label}. {told}"
        else:
            same = ", as it is labelled" if self.suggestion == self.label else ""
            # what was scored from predictions may have seen the label
            who = "Models without it" if self.nearest else "Models"
            sure = f"{self.suggestion} ({self.confidence:.0%})"
            labelled = "" if same else f"Labelled {self.label}. "
            yield f"{labelled}{who} say {sure}{same}."
        if self.nearest:
            counts = [
                f"{n} {'is' if n == 1 else 'are'} {name or 'without a label'}"
                for name, n in self.nearest.items()
            ]
            # of several labels, each text has commas of its own
            told = ("; " if any(", " in one for one in counts) else ", ").join(counts)
            yield f"Of its {sum(self.nearest.values())} nearest, {told}."
        else:
            yield f"Others like it are not known: {self.unknown}."
        if self.near_duplicate is not None:
            yield f"Nearly the same one is labelled {self.other_label}{self._better()}."

    def _better(self) -> str:
        """Which of the two labels the models prefer."""
        if self.suggestion in (self.label, self.other_label):
            return f"; of the two labels, models prefer {self.suggestion}"
        return "; models prefer neither label"

    def __str__(self) -> str:
        return " ".join(self.words)


@public
def explain_suspiciousness(
    samples: Samples, brain_key: str = "dfaulo", *, ids: Any = None
) -> dict[str, Explanation]:
    """Why labels are suspicious: nearest neighbours, and what the models say.

    The neighbours are by the embeddings that the run has scored from: cosines, of the
    embeddings less their mean. Of several labels, those that have the same ones count
    as of the same label. A run finds the neighbours of its 1,000 most suspicious
    samples; of boxes for which a detector is trained, of those whose class is the most
    suspicious. Where there are none, ``unknown`` says why.

    Args:
        samples: the dataset, or any view into it; any of the run can be explained.
        brain_key: the key of the run.
        ids: the samples, or objects: ids, or a view. None takes those whose neighbours
            are known, most suspicious first by the initial score.

    Returns:
        id to :class:`Explanation`, in the order of the ids.

    Raises:
        InputError: if an id is unknown, or not among the scored samples.
        RunError: if there is no such run, or its results or a field of it were deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset).first().id
        >>> found = dfaulo.explain_suspiciousness(dataset, ids=[worst])[worst]
        >>> print(found)
        Labelled dog. Models without it say cat (...%). Of its 10 nearest, ... cat...
        >>> beside = dataset.select([worst, *found.like_suggestion], ordered=True)
    """
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    return explain(review, None if ids is None else review.given_ids(ids))


def explain(review: ReviewSession, ids: Sequence[str] | None) -> dict[str, Explanation]:
    """As :func:`explain_suspiciousness`, in a review that is open."""
    results = review.load_results()
    known = _neighbours(results)
    if ids is None:
        everyone = [results.ids[row] for row in known]
        there = review.items.existing(everyone)
        ids = [one for one in everyone if one in there]
    review.find_scored(ids)
    rows = results.rows.find(ids)
    wanted = {one: known.get(row, _NONE) for one, row in rows.items()}
    twins = {one: results.near_duplicates.get(one) for one in ids}
    numbers = {int(n) for found in wanted.values() for n in found if n >= 0}
    others = {results.ids[n] for n in numbers} | {t for t in twins.values() if t}
    now = _Now(review, [*{*ids, *others}])
    return {
        one: _explain(results, now, one, row, wanted[one], twins[one])
        for one, row in rows.items()
    }


_NONE = np.full(3 * NEAREST, -1)


def _why_unknown(results: ComparedResults) -> str:
    """Why a run does not know the neighbours of an item."""
    if len(results.neighbours):
        return f"they are of the {MOST:,} most suspicious"
    if results.config.method == "paper":
        return "the paper's method compares none"
    if isinstance(results, BoxResults):
        return "boxes were compared with predictions, not with one another"
    return "the run is older than that; run again to find them"


def _neighbours(results: ComparedResults) -> dict[int, np.ndarray]:
    """Row of an item to those of its neighbours, as far as they are known."""
    return {int(row[0]): row[1:] for row in results.neighbours}


class _Now:
    """Labels and verdicts as they are now, by the ids of the items."""

    def __init__(self, review: ReviewSession, ids: Sequence[str]) -> None:
        verdict, text = review.fields.verdict, review.target.class_text
        self.labels: dict[str, str | None] = {}
        self.verdicts: Mapping[str, str | None] = {}
        found = {str(d["_id"]): d for d in review.find(ids, {}, CLASS, verdict)}
        self.labels = {one: text(d.get(CLASS)) for one, d in found.items()}
        self.verdicts = {one: d.get(verdict) for one, d in found.items()}

    def sound(self, ids: Sequence[str], label: str | None) -> list[str]:
        """Those of this label that are to stay; confirmed ones first."""
        some = [i for i in ids if i in self.labels and self.labels[i] == label]
        wrong = ("faulty", EXCLUDE)
        some = [one for one in some if self.verdicts[one] not in wrong]
        return sorted(some, key=lambda one: self.verdicts[one] != "correct")


def _explain(
    results: ComparedResults,
    now: _Now,
    one: str,
    row: int,
    found: np.ndarray,
    twin: str | None,
) -> Explanation:
    (given,) = results.label_texts(slice(row, row + 1))
    (suggestion,) = results.suggestion_texts(slice(row, row + 1))
    wanted = results.suggested_label(row)
    nearest, like_label, like_suggestion = (
        [results.ids[n] for n in part if n >= 0] for part in np.split(found, 3)
    )
    labels = Counter(
        now.labels[i] for i in nearest if now.labels.get(i) is not None
    ).most_common()
    differs = wanted != given
    there = twin is not None and twin in now.labels
    return Explanation(
        label=now.labels[one],
        suggestion=suggestion,
        suggested_label=wanted,
        confidence=float(results.confidence[row]),
        reasons=[n for n, on in zip(results.reason_names, results.reasons[row]) if on],
        nearest={str(name): count for name, count in labels},
        unknown="" if labels else _why_unknown(results),
        like_label=now.sound(like_label, given),
        like_suggestion=now.sound(like_suggestion, wanted) if differs else [],
        near_duplicate=twin if there else None,
        other_label=now.labels[twin] if there and twin else None,
    )
