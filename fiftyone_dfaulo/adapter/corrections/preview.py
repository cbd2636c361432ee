"""What a correction would change, in groups, before it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fiftyone_dfaulo.adapter.corrections.plan import Pair, Wish, decide, new_classes
from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review


@dataclass(frozen=True)
class CorrectionGroup:
    """Samples, or objects, of one label that look like one class.

    Attributes:
        given: the label that they have; None where samples have several labels.
        looks_like: the class that is suggested, or which labels to remove and to add;
            None if nothing is.
        new: what their label would become; None if they would stay as they are.
        reason: why they would; empty if they would not.
        open: whether they can be given a class, or left out, by ``classes``.
        ids: their ids.
    """

    given: str | None
    looks_like: str | None
    new: str | None
    reason: str = ""
    open: bool = True
    ids: list[str] = field(default_factory=list, repr=False)

    @property
    def pair(self) -> Pair:
        """What ``classes`` of :func:`.apply.apply_suggestions` calls the group."""
        return self.given, self.looks_like

    def __str__(self) -> str:
        if self.new is None:
            name = self.looks_like if self.given is None else self.given
            return f"{name or 'labels'} (stays: {self.reason})"
        return self.new if self.given is None else f"{self.given} -> {self.new}"


@dataclass(frozen=True)
class CorrectionPreview:
    """What :func:`preview_corrections` found.

    Attributes:
        groups: those that would change, then those that would not; each the largest
            first.
        new_classes: classes that were asked for and do not exist yet.
    """

    groups: list[CorrectionGroup]
    new_classes: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many labels would change."""
        return sum(len(group.ids) for group in self.groups if group.new is not None)

    @property
    def left(self) -> int:
        """How many would not."""
        return sum(len(group.ids) for group in self.groups if group.new is None)

    def __str__(self) -> str:
        lines = [f"{self.changed} labels would change, {self.left} would not"]
        lines += [f"{len(group.ids):7,}  {group}" for group in self.groups]
        return "\n".join(lines)


@public
def preview_corrections(
    samples: Samples,
    brain_key: str = "dfaulo",
    *,
    ids: Any = None,
    verdict: str = "faulty",
    label: str | None = None,
    classes: Mapping[Pair, str | None] | None = None,
) -> CorrectionPreview:
    """What :func:`.apply.apply_suggestions` would do; nothing is written.

    Args:
        samples: as there.
        brain_key: as there.
        ids: as there.
        verdict: as there.
        label: as there.
        classes: as there.

    Returns:
        the groups, by label and suggestion. Printed, a line is ``12  Rain -> Cloudy``.

    Raises:
        InputError: as there, but for a class that does not exist yet: the preview
            names it.
        RunError: as there.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> print(dfaulo.preview_corrections(dataset, ids=worst))
        6 labels would change, 0 would not
              6  dog -> cat
    """
    wish = Wish(ids, verdict, label, classes).check()
    needed = ("suspiciousness", "suggestion", "verdict")
    return preview(open_review(samples, brain_key, *needed), wish)


def preview(review: ReviewSession, wish: Wish) -> CorrectionPreview:
    """As :func:`preview_corrections`, in a review that is open."""
    groups: dict[tuple[object, ...], CorrectionGroup] = {}
    for one, decision in decide(review, wish).items():
        parts = (*decision.pair, *decision[2:])
        group = groups.setdefault(parts, CorrectionGroup(*parts))
        group.ids.append(one)
    order = sorted(
        groups.values(), key=lambda g: (g.new is None, -len(g.ids), str(g.pair))
    )
    return CorrectionPreview(order, new_classes(review, wish.chosen))
