"""What faults are to be planted, and whether they can be."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.dataset as fod

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection.class_pairs import check_pairs
from fiftyone_dfaulo.adapter.reading.injection_record import fault_fields, find_record
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.adapter.storage.frames import shows_frames
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.elsewhere import OVERLAP
from fiftyone_dfaulo.engine.injection.box_plans import (
    BOX_KINDS,
    WRONG_CLASS,
)
from fiftyone_dfaulo.engine.injection.plans import KINDS, LEAK, PAIRED
from fiftyone_dfaulo.errors import InputError, RunError

ALL_KINDS = "boxes"
BOX_FAULTS = (*(kind.replace(" ", "_") for kind in BOX_KINDS), ALL_KINDS)
"""The kinds of faults of boxes; the last one is all of them."""

MOST = 0.5
"""The highest rate: where more labels are wrong than right, nothing can be found."""


@dataclass(frozen=True)
class Injection:
    """What to plant, and where; the arguments of ``inject_faults``.

    If ``only`` names fields, the copy has no others, and no runs or saved views.
    """

    label_field: str = "ground_truth"
    kind: str = "random_label"
    rate: Any = 0.05
    seed: int = 51
    pairs: Any = None
    name: str | None = None
    in_place: bool = False
    prefix: str = "injected"
    folder: Any = None
    persistent: bool = False
    only: tuple[str, ...] = ()
    overlap: tuple[float, float] = OVERLAP

    @property
    def whole_rate(self) -> float:
        """The rate, or the sum of rates."""
        rates = self.rate.values() if isinstance(self.rate, Mapping) else [self.rate]
        return float(sum(rates))

    def box_rates(self, classes: int = 2) -> dict[str, float]:
        """What plans call the kinds of faults of boxes, to their rates."""
        names = BOX_FAULTS if self.kind == ALL_KINDS else (self.kind,)
        names = tuple(name for name in names if name != ALL_KINDS)
        given = self.rate
        rates = given if isinstance(given, Mapping) else dict.fromkeys(names, given)
        found = {name.replace("_", " "): float(rate) for name, rate in rates.items()}
        if classes < 2:
            found.pop(WRONG_CLASS, None)
        return found


def check_injection(samples: Samples, request: Injection) -> None:
    """Makes sure that faults can be planted; reads no labels, writes nothing.

    Raises:
        InputError, RunError: as :func:`fiftyone_dfaulo.inject_faults`, as far as that
            is known without reading labels and images.
    """
    check_samples(samples)
    check_labels(samples, request)
    check_drawing(request)
    if request.kind in PAIRED:
        check_pairs(samples, request.pairs)
    check_place(samples, request)


def check_labels(samples: Samples, request: Injection) -> None:
    """Makes sure that faults of this kind can be planted in the labels of the field.

    Raises:
        InputError: if they cannot.
    """
    of_boxes = request.kind in BOX_FAULTS
    check_label_field(samples, request.label_field, one_class_a_sample=not of_boxes)
    if of_boxes:
        _check_boxes(samples, request.label_field)


def check_place(samples: Samples, request: Injection) -> None:
    """Makes sure that the dataset, or a copy of the samples, has room for the faults.

    Raises:
        InputError: if a field or the name is taken or cannot be used, or the dataset
            is to be changed and a field is read-only, or it is the frames of videos.
        RunError: if the dataset holds planted faults already.
    """
    if request.in_place and shows_frames(samples):
        raise InputError(
            "faults cannot be planted in the frames of videos themselves; make a copy "
            "by in_place=False, which is an image dataset"
        )
    dataset = samples._root_dataset
    refresh(dataset)
    if find_record(dataset) is not None:
        raise RunError(
            f"dataset {dataset.name!r} holds planted faults already; revert_faults "
            "first, or pass the dataset that it was copied from"
        )
    fields = fault_fields(request.prefix)
    taken = [name for name in fields if dataset.has_sample_field(name)]
    if taken:
        raise InputError(
            f"prefix={request.prefix!r} would overwrite the fields {', '.join(taken)}; "
            "pass another prefix"
        )
    if request.in_place:
        _check_in_place(dataset, request)
    elif request.name is not None:
        check_name(request.name)


def check_drawing(request: Injection) -> None:
    """Checks kind, rate and seed.

    Raises:
        InputError: if one of them is unknown or out of range.
    """
    if request.kind in BOX_FAULTS:
        _check_box_rates(request)
        return
    if request.kind not in KINDS:
        raise InputError(
            f"kind={request.kind!r} is unknown; choose one of {', '.join(KINDS)}; or "
            f"for Detections one of {', '.join(BOX_FAULTS)}"
        )
    most = 1 / LEAK if request.kind == "pair" else MOST
    rate = request.rate
    number = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    if not number or not 0 < rate <= most:
        raise InputError(
            f"rate={rate!r} cannot be used for kind={request.kind!r}; expected a "
            f"number above 0 and at most {most:.2g}, such as 0.05"
        )
    Settings(seed=request.seed)


def _check_boxes(samples: Samples, label_field: str) -> None:
    kind = samples.get_field(label_field).document_type
    if samples._is_patches or shows_frames(samples) or kind is not fo.Detections:
        raise InputError(
            f"faults of boxes can be planted in the Detections of whole images, and "
            f"label_field={label_field!r} is a {kind.__name__} field; pass another "
            "field, or the dataset rather than a view of patches or frames"
        )


def _check_box_rates(request: Injection) -> None:
    """Checks rates, overlap and seed of faults of boxes."""
    rates = request.rate if isinstance(request.rate, Mapping) else {"": request.rate}
    known = (*BOX_FAULTS[:-1], "")
    fits = request.kind == ALL_KINDS or not isinstance(request.rate, Mapping)
    good = [
        isinstance(r, (int, float)) and not isinstance(r, bool) and 0 < r <= MOST
        for r in rates.values()
    ]
    if not (fits and rates and all(good) and {*rates} <= {*known}):
        raise InputError(
            f"rate={request.rate!r} cannot be used for kind={request.kind!r}; expected "
            f"a number above 0 and at most {MOST:.2g}, such as 0.05; with "
            f"kind={ALL_KINDS!r} also a dict of kinds to such numbers: "
            f"{', '.join(BOX_FAULTS[:-1])}"
        )
    if sum(request.box_rates().values()) > 1:
        raise InputError(
            f"rate={request.rate!r} is more than one fault an object in all; pass "
            "lower rates"
        )
    overlap = request.overlap
    numeric = isinstance(overlap, (tuple, list)) and len(overlap) == 2
    numeric = numeric and all(isinstance(one, numbers.Real) for one in overlap)
    if not numeric or not 0 < overlap[0] <= overlap[1] < 1:
        raise InputError(
            f"overlap={overlap!r} cannot be used; expected the least and the largest "
            "IoU, two numbers above 0 and below 1, such as (0.3, 0.7)"
        )
    Settings(seed=request.seed)


def _check_in_place(dataset: Dataset, request: Injection) -> None:
    if request.name is not None:
        raise InputError(
            f"name={request.name!r} names a copy, but in_place=True makes none; leave "
            "one of them out"
        )
    read_only = [
        path
        for path in (request.label_field, f"{request.label_field}.label", "filepath")
        if dataset._is_read_only_field(path)
    ]
    if read_only:
        raise InputError(
            f"field {read_only[0]!r} is read-only; make a copy by in_place=False"
        )


def check_name(name: Any) -> None:
    """Makes sure that a new dataset can have this name.

    Raises:
        InputError: if it cannot, or another dataset has it.
    """
    try:
        fod._validate_dataset_name(name)
    except Exception as error:
        raise InputError(
            f"name={name!r} cannot be given to the copy ({error}); pass another name"
        ) from error
