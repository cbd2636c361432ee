"""Takes corrections back: each label is again what it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiftyone_dfaulo.adapter.corrections.plan import check_writable
from fiftyone_dfaulo.adapter.corrections.writing import write
from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.storage.items import LABEL


@dataclass(frozen=True)
class Reverted:
    """What :func:`revert_suggestions` did.

    Attributes:
        reverted: number of labels that are as they were before the correction.
        edited: ids of the samples whose label was edited since it was corrected; they
            were left alone.
        uncorrected: those of the given ids that have no correction to take back.
    """

    reverted: int
    edited: list[str] = field(default_factory=list)
    uncorrected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not (self.reverted or self.edited):
            return "there are no corrections to take back"
        return (
            f"{self.reverted} corrections taken back, {len(self.edited)} left alone "
            "because their label was edited since"
        )


@public
def revert_suggestions(
    samples: Samples, brain_key: str = "dfaulo", *, ids: Any = None
) -> Reverted:
    """Takes corrections back: the label is again, byte for byte, what it was.

    A label that was edited since it was corrected is left alone, and its original is
    kept. Verdicts stay as they are.

    Args:
        samples: a dataset or view; of a view, only its own samples are taken where no
            ids are given.
        brain_key: the key of the run.
        ids: the samples: ids, or a view; None for all that are corrected.

    Returns:
        how many labels were restored, and the ids of those that were not.

    Raises:
        InputError: if an id is unknown or not among the scored samples, or the label
            field is read-only; nothing is changed.
        RunError: if there is no such run, or its label field was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> done = dfaulo.apply_suggestions(dataset, ids=worst)
        >>> print(dfaulo.revert_suggestions(dataset))
        6 corrections taken back, 0 left alone because their label was edited since
    """
    return revert(open_review(samples, brain_key, "suspiciousness"), ids=ids)


def revert(review: ReviewSession, *, ids: Any = None) -> Reverted:
    """As :func:`revert_suggestions`, in a review that is open."""
    wanted = None if ids is None else review.given_ids(ids)
    check_writable(review)
    original = review.own.original_label
    if wanted is None:
        within = review.ids_in(review.samples)
        rows = review.find(within, {original: {"$ne": None}}, LABEL, original)
        found = {str(item["_id"]): item for item in rows}
    else:
        found = review.find_scored(wanted, LABEL, original)
    uncorrected = [i for i, item in found.items() if item.get(original) is None]
    edited, updates, edit = [], {}, review.label_edit()
    for one in found.keys() - set(uncorrected):
        if edit.is_as_applied(found[one]):
            updates[one] = edit.reverting(found[one])
        else:
            edited.append(one)
    edited += write(review, found, updates, applied=False)
    order = [one for one in found if one in set(edited)]
    return Reverted(len(found) - len(uncorrected) - len(order), order, uncorrected)
