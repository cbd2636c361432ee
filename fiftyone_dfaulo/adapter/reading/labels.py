"""Reads a dataset or view that can be used: its ids, images and labels.

Everything is read by id, so any order, filter or limit of a view will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.label_fields import label_choices
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.kinds import find_target
from fiftyone_dfaulo.adapter.targets.labels import Labels, Rows
from fiftyone_dfaulo.engine.images.decoding import Crop, Source
from fiftyone_dfaulo.errors import InputError


class Labelled(NamedTuple):
    """The labelled items of a dataset or view.

    They are in the order of their samples' ids, then their own.

    Attributes:
        ids: ids of the N labelled items, each once.
        paths: their images, or parts of images.
        labels: their labels.
        unlabeled: ids of the items without a label.
        unreadable: id of each item whose box shows nothing of its image, to the reason.
    """

    ids: list[str]
    paths: Sequence[Source]
    labels: Labels
    unlabeled: list[str]
    unreadable: Mapping[str, str] = MappingProxyType({})

    @property
    def classes(self) -> list[str]:
        """Names of the K classes that occur, sorted."""
        return self.labels.classes

    @property
    def files(self) -> list[str]:
        """Paths of the image files that the items are in."""
        return [p.path if isinstance(p, Crop) else p for p in self.paths]


def read_labels(
    samples: Samples, label_field: str, target: LabelTarget | None = None
) -> Labelled:
    """Reads ids, images and labels, and sets apart what has no label.

    What a view holds twice (``concat``) is read once. The items come in the order of
    their ids, so that a sorted view gives the same scores as an unsorted one.

    Args:
        samples: a dataset or view that :func:`.media.check_samples` accepts.
        label_field: a field that :func:`.label_fields.check_label_field` accepts.
        target: the labels in it; None finds them.

    Raises:
        InputError: if nothing has a label, or all have the same; if a label is no
            text; or if two objects have the same id.
    """
    target = target or find_target(samples, label_field)
    found = target.read(samples)
    _check_text(target, found)
    labelled = [row for row in found.rows if row[2] is not None]
    if not labelled:
        raise InputError(_none_labelled(samples, target, found))
    labels = target.labels_type.of([label for _, _, label in labelled])
    if not labels.comparable:
        raise InputError(labels.nothing_to_compare(label_field))
    return Labelled(
        ids=[one for one, _, _ in labelled],
        paths=[path for _, path, _ in labelled],
        labels=labels,
        unlabeled=[one for one, _, label in found.rows if label is None],
        unreadable=found.unreadable,
    )


def _check_text(target: LabelTarget, found: Rows) -> None:
    """Refuses labels that are no text, such as numbers; None is no label.

    FiftyOne's own functions store nothing else as a label. Where validation was turned
    off, or another program wrote, corrections would make a dataset of mixed types, and
    1, 1.0 and True would be one class; NaN is not even equal to itself.
    """
    odd = [
        (one, value)
        for one, _, label in found.rows
        for value in (label if isinstance(label, list) else [label])
        if not (value is None or isinstance(value, str))
    ]
    if odd:
        one, value = odd[0]
        raise InputError(
            f"{len(odd)} labels in {target.label_field!r} are no text, the first that "
            f"of {target.noun} {one}: {value!r} ({type(value).__name__}); store labels "
            "as text, and None where there is none"
        )


def _none_labelled(samples: Samples, target: LabelTarget, found: Rows) -> str:
    bad = ""
    if found.unreadable:
        one, reason = next(iter(found.unreadable.items()))
        count = len(found.unreadable)
        bad = f"; {count} more cannot be used, the first {one}: {reason}"
    return (
        f"none of the {len(found.rows)} {target.noun}s has a label in "
        f"{target.label_field!r}{bad}; label some, or pass another field. "
        f"{label_choices(samples)}"
    )
