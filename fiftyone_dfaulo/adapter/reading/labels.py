"""Reads a dataset or view that can be used: its ids, images and labels.

Everything is read by id, so any order, filter or limit of a view will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from fiftyone_dfaulo.adapter.reading.label_fields import find_place, label_choices
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.labels import ClassLabels, Labels, MultiLabels
from fiftyone_dfaulo.adapter.targets.object import read_objects
from fiftyone_dfaulo.engine.images.decoding import Crop, Source
from fiftyone_dfaulo.errors import InputError


class Labelled(NamedTuple):
    """The labelled items of a dataset or view: samples, or objects in samples.

    They are in the order of their ids, objects in that of their samples' first.

    Attributes:
        ids: ids of the N labelled items, each once.
        paths: their images, or parts of images.
        labels: their labels, one class or several tags each.
        unlabeled: ids of the items without a label.
        unreadable: id of each item that has no place in its image to the reason.
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


def read_labels(samples: Any, label_field: str) -> Labelled:
    """Reads ids, images and labels, and sets apart what has no label.

    What a view holds twice (``concat``) is read once. All comes in the order of the
    ids, so that a sorted view gives the same scores as an unsorted one.

    Args:
        samples: a dataset or view that :func:`.media.check_samples` accepts.
        label_field: a field that :func:`.label_fields.check_label_field` accepts.

    Raises:
        InputError: if nothing has a label, or all have the same, or the same tags; or
            if two objects have the same id.
    """
    place = find_place(samples, label_field)
    unreadable: dict[str, str] = {}
    rows: Sequence[tuple[str, Source, str | None]]
    if place.tags_path:
        return _read_tags(samples, place)
    if place.list_path is None:
        rows = [*zip(*samples.values(["id", "filepath", f"{label_field}.label"]))]
        rows = [*{row[0]: row for row in sorted(rows, key=itemgetter(0))}.values()]
    else:
        rows, unreadable = read_objects(samples, place)
    labelled = [(one, path, label) for one, path, label in rows if label is not None]
    if not labelled:
        raise InputError(_none_labelled(samples, place, len(rows), unreadable))
    labels = ClassLabels.of([label for _, _, label in labelled])
    if not labels.comparable:
        raise InputError(
            f"all {len(labelled)} labels in {label_field!r} are "
            f"{labels.classes[0]!r}; expected at least two classes"
        )
    return Labelled(
        ids=[one for one, _, _ in labelled],
        paths=[path for _, path, _ in labelled],
        labels=labels,
        unlabeled=[one for one, _, label in rows if label is None],
        unreadable=unreadable,
    )


def _read_tags(samples: Any, place: Place) -> Labelled:
    """The tags of samples, of which some tag has to be one that only some have."""
    found = zip(*samples.values(["id", "filepath", place.label_path]))
    rows = [*{row[0]: row for row in sorted(found, key=itemgetter(0))}.values()]
    tagged = [row for row in rows if row[2] is not None]
    if not tagged:
        raise InputError(_none_labelled(samples, place, len(rows), {}))
    labels = MultiLabels.of([tags for _, _, tags in tagged])
    if not labels.comparable:
        raise InputError(
            f"all {len(tagged)} samples have the same tags in {place.label_field!r}: "
            f"{', '.join(labels.classes) or 'none'}; expected at least one tag that "
            "some samples have and others do not"
        )
    return Labelled(
        ids=[one for one, _, _ in tagged],
        paths=[path for _, path, _ in tagged],
        labels=labels,
        unlabeled=[one for one, _, tags in rows if tags is None],
    )


def _none_labelled(
    samples: Any, place: Place, count: int, unreadable: dict[str, str]
) -> str:
    bad = ""
    if unreadable:
        one, reason = next(iter(unreadable.items()))
        bad = f"; {len(unreadable)} more cannot be used, the first {one}: {reason}"
    return (
        f"none of the {count} {place.noun}s has a label in {place.label_field!r}{bad}; "
        f"label some, or pass another field. {label_choices(samples)}"
    )
