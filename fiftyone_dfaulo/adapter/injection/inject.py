"""Plants faults whose truth is known, in a copy of a dataset, and takes them back.

Steps of an injection:

1. Check everything, draw which samples change and how, and look at the images that
   will be replaced. Nothing is written so far.
2. Clone the dataset, under a name of its own until the last step is done, unless it is
   to be changed itself.
3. Write the new images, if any, into a folder of their own.
4. Add the fields, the first of which holds the record of the injection; copy the true
   labels inside the database; then change labels and paths, one update a sample.

A failure deletes the clone and the files, or takes back what was done in place. After a
process has died, the next injection does the one, and :func:`revert_faults` the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import fiftyone as fo
import fiftyone.core.dataset as fod
import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.injection.boxes import draw_boxes
from fiftyone_dfaulo.adapter.injection.class_pairs import read_pairs
from fiftyone_dfaulo.adapter.injection.copies import unfinished_name
from fiftyone_dfaulo.adapter.injection.planting import AnyDraft, Draft, plant
from fiftyone_dfaulo.adapter.injection.request import (
    BOX_FAULTS,
    Injection,
    check_injection,
    check_name,
    check_place,
)
from fiftyone_dfaulo.adapter.injection.undo import discard, restore
from fiftyone_dfaulo.adapter.reading.injection_record import find_record
from fiftyone_dfaulo.adapter.reading.labels import Labelled, read_labels
from fiftyone_dfaulo.adapter.storage.lease import changing, unbroken
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.engine.boxes.elsewhere import OVERLAP
from fiftyone_dfaulo.engine.injection.painting import read_shapes
from fiftyone_dfaulo.engine.injection.plans import PAIRED, plan_faults
from fiftyone_dfaulo.engine.progress import Report, Stages, silent
from fiftyone_dfaulo.errors import InputError, RunError

COPYING = "Copying the dataset"
PLANTING = "Planting faults"


@public
def inject_faults(
    samples: Samples,
    label_field: str = "ground_truth",
    *,
    kind: str = "random_label",
    rate: float | Mapping[str, float] = 0.05,
    seed: int = 51,
    pairs: Any = None,
    overlap: tuple[float, float] = OVERLAP,
    name: str | None = None,
    in_place: bool = False,
    prefix: str = "injected",
    folder: Any = None,
    persistent: bool = False,
) -> Any:
    """Plants faults in a copy of a dataset, and records which and what they were.

    ==================  ==============================================================
    ``random_label``    in every class, some get a uniformly drawn other label
    ``specific_label``  some of two classes get each other's label
    ``pair``            a third of the classes leak three times the rate into another
    ``imbalanced``      classes shrunk, by taking labels away, to sizes from 1 down to
                        a tenth; then random labels
    ``random_data``     in every class, some get a piece of a photograph as their image
    ``specific_data``   the same in one class
    ``mixture``         half random labels, half such images
    ``corrupt``         in every class, some images become black, grey, white or noise
    ``duplicates``      some get a noisy copy of an image of another class
    ==================  ==============================================================

    Of a Detections field, in a share of all its objects each; no object gets two:

    ==================  ==============================================================
    ``wrong_class``     a random other class
    ``misplaced``       the box is shifted and scaled to some IoU with the old one
    ``spurious``        a new box somewhere, of the size and class of some object
    ``doubled``         a second box around the object, of an IoU of .6 to .95
    ``missing``         the object is taken away
    ``boxes``           each of these
    ==================  ==============================================================

    Its objects get the attributes ``injected_fault`` and ``injected_kind``, and
    ``injected_true_label`` holds all objects from before.

    Four fields are added: ``injected_fault`` (whether it is one; None where there is
    no label), ``injected_kind`` (what was done, in words), ``injected_true_label`` and
    ``injected_original_filepath`` (the path of an image that was replaced). New images
    are PNG files in a folder of their own; no file of yours is changed. Embeddings and
    metadata stay those of the original images. :func:`revert_faults` takes all of it
    back.

    Args:
        samples: a dataset or view of images; a copy of it is made.
        label_field: the Classification field, of two classes or more; or a Detections
            field.
        kind: one of the above; the paper's are the random and specific ones.
        rate: share of faults in each class that gets some, above 0 and at most 0.5 (in
            ``pair`` at most a third). Of boxes, of each kind; with ``kind="boxes"``
            also a dict, as ``{"missing": 0.1, "doubled": 0.02}``.
        seed: non-negative integer; the same one gives the same faults again.
        pairs: for ``pair`` and the specific kinds, which class is taken for which:
            pairs of names; the key of a DFauLo run, for what it suggests; the name of
            embeddings, for the class whose mean is nearest; or None for the next class
            by name. Without names, the most confused class comes first.
        overlap: of misplaced boxes, the least and the largest IoU with the right ones.
        name: of the copy; None for the dataset's with ``-injected`` after it.
        in_place: whether to change the dataset itself and make no copy.
        prefix: what the fields' names begin with.
        folder: where to write new images, a folder that is empty or does not exist;
            None for a new one in FiftyOne's ``default_dataset_dir``.
        persistent: whether the copy stays when the database shuts down.

    Returns:
        the dataset that holds the faults.

    Raises:
        InputError: if something cannot be used, a dataset of that name exists, the
            rate is too low for a single fault, or an image to be replaced cannot be
            read; nothing is written.
        RunError: if the dataset holds planted faults already.

    Examples:
        >>> copy = dfaulo.inject_faults(dataset, kind="random_label", rate=0.1)
        >>> copy.count_values("injected_fault")[True]
        6
        >>> copy.delete()
    """
    request = Injection(
        label_field,
        kind,
        rate,
        seed,
        pairs,
        name,
        in_place,
        prefix,
        folder,
        persistent,
        overlap=overlap,
    )
    return run(samples, request)


def run(samples: Samples, request: Injection, report: Report = silent) -> Any:
    """:func:`inject_faults`, with its progress reported.

    Args:
        samples: a dataset or view.
        request: the arguments.
        report: gets the stage and the fraction of the whole; what it raises stops the
            injection, and nothing is left of it.
    """
    check_injection(samples, request)
    of_boxes = request.kind in BOX_FAULTS
    draft = draw_boxes(samples, request) if of_boxes else _draw(samples, request)
    stages = Stages({COPYING: 2, PLANTING: 8 if draft.shapes else 2}, report)
    if not request.in_place:
        return _plant_in_copy(samples, request, draft, stages)
    dataset = samples._root_dataset
    with stages.stage(PLANTING) as part, changing(dataset):
        check_place(samples, request)  # another process may have been faster
        try:
            plant(dataset, request, draft, part)
        except BaseException:
            restore(dataset)
            raise
    return dataset


def _plant_in_copy(
    samples: Samples, request: Injection, draft: AnyDraft, stages: Stages
) -> Any:
    """Makes the copy under another name until it is whole."""
    named = request
    if request.name is None:
        root = f"{samples._root_dataset.name}-injected"
        named = replace(request, name=fod.make_unique_dataset_name(root))
        check_name(named.name)
    with unbroken(), unfinished_name() as name:
        try:
            with unbroken():  # before it gets a name under which it is not swept
                with stages.stage(COPYING):
                    dataset = _clone(samples, request, name)
                with stages.stage(PLANTING) as part:
                    plant(dataset, named, draft, part)
            _rename(dataset, named.name)
        except BaseException:
            if fo.dataset_exists(name):
                discard(fo.load_dataset(name))
            raise
    return dataset


def _rename(dataset: fo.Dataset, name: str | None) -> None:
    try:
        dataset.name = name
    except ValueError as error:  # another process was faster
        raise InputError(f"{error}; pass another name") from error


def _draw(samples: Samples, request: Injection) -> Draft:
    labelled = read_labels(samples, request.label_field)
    pairs = _pairs(samples, labelled, request)
    rng = np.random.default_rng(int(request.seed))
    plan = plan_faults(
        labelled.labels.numbers, request.kind, float(request.rate), rng, pairs
    )
    if not plan.faults.any():
        largest = int(np.bincount(labelled.labels.numbers).max())
        raise InputError(
            f"rate={request.rate} plants no fault: the largest class has {largest} "
            "samples; pass a higher rate, or more samples"
        )
    shapes = read_shapes(labelled.files, plan)
    return Draft(labelled, plan, shapes, rng)


def _pairs(
    samples: Samples, labelled: Labelled, request: Injection
) -> list[tuple[int, int]]:
    if request.kind not in PAIRED:
        return []
    pairs = read_pairs(samples, labelled, request.pairs)
    most = max(1, len(labelled.classes) // 3) if request.kind == "pair" else len(pairs)
    named = request.pairs is not None and not isinstance(request.pairs, str)
    if named and len(pairs) > most:
        raise InputError(
            f"pairs names {len(pairs)} pairs; kind='pair' has a third of the classes "
            f"leak, here at most {most}"
        )
    return pairs


def _clone(samples: Samples, request: Injection, name: str) -> Any:
    source = samples
    if request.only:
        source = samples.select_fields(list(request.only))
    return source.clone(name, persistent=request.persistent)


@public
def revert_faults(samples: Samples) -> int:
    """Takes planted faults back: labels and images are, byte for byte, as they were.

    What has been done to those labels since is undone as well; all other samples and
    labels are left as they are. The fields of the injection and the images that it
    wrote are deleted.

    Args:
        samples: the dataset that holds the faults, or any view into it.

    Returns:
        the number of samples that were restored.

    Raises:
        InputError: if ``samples`` is neither a dataset nor a view.
        RunError: if the dataset holds no planted faults, or a field that is needed was
            deleted or renamed; nothing is changed.

    Examples:
        >>> copy = dfaulo.inject_faults(dataset, rate=0.1)
        >>> dfaulo.revert_faults(copy)
        6
        >>> copy.has_sample_field("injected_fault")
        False
        >>> copy.delete()
    """
    if not isinstance(samples, (fo.Dataset, fo.DatasetView)):
        raise InputError(
            f"samples is a {type(samples).__name__}; expected a FiftyOne dataset or "
            "view"
        )
    dataset = samples._root_dataset
    with changing(dataset):
        refresh(dataset)
        if find_record(dataset) is None:
            raise RunError(
                f"dataset {dataset.name!r} holds no planted faults; pass the dataset "
                "that inject_faults returned"
            )
        return restore(dataset)
