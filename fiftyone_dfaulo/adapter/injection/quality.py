"""How well faults are found in a dataset: planted in a copy, found, and counted.

Should the process be killed meanwhile, the next call deletes the copy and its images.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.utils as fou
import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import Unpack

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection import inject
from fiftyone_dfaulo.adapter.injection.copies import unfinished_name
from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation, evaluate_ranking
from fiftyone_dfaulo.adapter.injection.real_faults import count_in, known_faults
from fiftyone_dfaulo.adapter.injection.reports import keep_report, name_source
from fiftyone_dfaulo.adapter.injection.request import (
    BOX_FAULTS,
    Injection,
    check_injection,
)
from fiftyone_dfaulo.adapter.injection.undo import discard
from fiftyone_dfaulo.adapter.progress import progress_bar
from fiftyone_dfaulo.adapter.reading.embeddings import read_embeddings
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.scoring import checks, compute
from fiftyone_dfaulo.adapter.scoring.request import (
    MADE_HERE,
    Request,
    SourceOptions,
    as_sources,
    make_settings,
)
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.injection.plans import PAINTED
from fiftyone_dfaulo.engine.progress import Report, silent
from fiftyone_dfaulo.errors import InputError

EVALUATING = "Evaluating"
_KEY = "dfaulo_estimate"

FAULT = "injected_fault"


@public
def estimate_quality(
    samples: Samples,
    label_field: str = "ground_truth",
    *,
    kind: str = "random_label",
    rate: float | Mapping[str, float] = 0.05,
    seed: int = 51,
    pairs: Any = None,
    embeddings: ArrayLike | None = None,
    keep: bool = False,
    progress: bool | Callable[[fou.ProgressBar], object] | None = None,
    **settings: Unpack[SourceOptions],
) -> Evaluation:
    """How well faults would be found in these samples.

    Plants faults in a temporary copy, scores it, compares the ranking with the truth,
    and deletes the copy and all that belongs to it, also if it fails or is stopped.
    The dataset itself is only read, unless ``keep`` is set.

    Labels that were wrong before rank high, too, and are no false alarms. What a review
    has found faulty is left out; how many others there are is estimated, and
    ``with_real`` counts them in, taken to be found as the planted ones are.

    Args:
        samples: a dataset or view of images.
        label_field: the Classification field with the labels, or a Detections field.
        kind: what to plant, as :func:`fiftyone_dfaulo.inject_faults`.
        rate: how many, as there.
        pairs: which class is taken for which, as there.
        seed: of the faults and of the scoring.
        embeddings: where to take embeddings from, as
            :func:`fiftyone_dfaulo.compute_suspiciousness`. For kinds that replace
            images, neither embeddings nor ``predictions`` can be used: they are of the
            images from before.
        keep: whether to keep the report with the dataset, for
            :func:`fiftyone_dfaulo.quality_reports`.
        progress: whether to show a progress bar, as there.
        **settings: the other arguments that say how to score, as there; ``model`` by
            name or path only.

    Returns:
        the metrics; the faults that were planted are what should be found. See
        :class:`.Evaluation` for ``real`` and ``with_real``, and ``by_kind`` of boxes.

    Raises:
        InputError: as both functions.
        WeightsError: if pretrained weights are neither cached nor downloadable.

    Examples:
        >>> quality = dfaulo.estimate_quality(
        ...     dataset, embeddings="my_embeddings", rate=0.1
        ... )
        >>> quality["samples"], quality["faults"]
        (60, 6)
    """
    request = Injection(label_field, kind, rate, seed, pairs)
    made = make_settings(estimate_quality, {"seed": seed, **settings})
    check(samples, request, embeddings, made)  # before a bar is drawn
    with progress_bar(progress) as report:
        found = run(samples, request, embeddings, made, report)
    if keep:
        source = name_source(embeddings, made)
        keep_report(samples._root_dataset, request, source, made, found)
    return found


def check(
    samples: Samples,
    request: Injection,
    embeddings: ArrayLike | None,
    settings: Settings,
) -> None:
    """Makes sure that :func:`run` can take these; computes and writes nothing.

    Raises:
        InputError, RunError: as :func:`run`, as far as that is known without reading
            labels, images and embeddings.
    """
    check_injection(samples, request)
    if len(as_sources(embeddings)) > 1:
        raise InputError(
            f"embeddings={embeddings!r} are several sources; pass one of them"
        )
    check_seen(request, embeddings, settings)
    checks.check(
        Request(
            samples, request.label_field, settings, _KEY, embeddings, overwrite=True
        )
    )


def check_seen(
    request: Injection, embeddings: ArrayLike | None, settings: Settings
) -> None:
    """Makes sure that scoring can see the faults.

    Raises:
        InputError: if the faults are in the images, and embeddings or predictions are
            used, which are of the images from before; or if they are of boxes, and
            there are no predictions.
    """
    if request.kind in BOX_FAULTS and settings.predictions is None:
        raise InputError(
            f"kind={request.kind!r} is of boxes, which a detector's predictions judge; "
            "pass predictions, a Detections field, or 'auto' to train a detector"
        )
    given = {"embeddings": embeddings, "predictions": settings.predictions}
    for name, value in given.items():
        if value is not None and request.kind in PAINTED:
            raise InputError(
                f"kind={request.kind!r} replaces images, which the {name} do not show; "
                "choose a kind that changes labels, or train a network"
            )


def run(
    samples: Samples,
    request: Injection,
    embeddings: ArrayLike | None,
    settings: Settings,
    report: Report = silent,
) -> Evaluation:
    """:func:`estimate_quality` with settings made and progress reported.

    Args:
        samples: a dataset or view.
        request: what to plant; where, is decided here.
        embeddings, settings: how to score.
        report: gets the stage and the fraction of the whole; what it raises stops the
            run.
    """
    check(samples, request, embeddings, settings)
    with unfinished_name() as name:
        images = Path(tempfile.gettempdir()) / name
        used = {request.label_field, settings.predictions} - {*MADE_HERE}
        only = tuple(sorted(filter(None, used)))
        there = replace(request, name=name, folder=images, only=only)
        try:
            copy = inject.run(samples, there, _part(report, 0.0, 0.1))
            chosen, vectors = _match_embeddings(samples, request, embeddings, copy)
            results = compute.run(
                Request(
                    chosen,
                    request.label_field,
                    settings,
                    _KEY,
                    vectors,
                    work_of=samples,
                ),
                report=_part(report, 0.1, 0.98),
            )
            report(EVALUATING, 0.98)
            known = _leave_out_known(samples, request, copy)
            found = evaluate_ranking(copy, _KEY, fault_field=FAULT)
            count_in(found, results, known)
        finally:
            if fo.dataset_exists(name):
                discard(fo.load_dataset(name))
    with suppress(Exception):
        report(EVALUATING, 1.0)
    found.notes += _notes(found)
    return found


def _leave_out_known(samples: Samples, request: Injection, copy: Dataset) -> int:
    """Takes known faults out of the comparison; says how many.

    Not those in which a fault was planted as well.
    """
    known = known_faults(samples._root_dataset, request.label_field)
    some = copy.select(list(known)).match({FAULT: False})
    count = len(some)
    if count:
        some.set_values(FAULT, [None] * count)
    return count


def _notes(found: Evaluation) -> list[str]:
    real, notes = found.real, []
    if real.known:
        labels = "1 label" if real.known == 1 else f"{real.known:,} labels"
        notes.append(f"{labels} that a review has found faulty are not counted.")
    notes.append(
        f"About {real.others:,.0f} other labels ({real.low:,.0f} to {real.high:,.0f}) "
        "were probably wrong before. They are no false alarms: 'with the real faults' "
        "counts them in."
    )
    return notes


def _part(report: Report, start: float, end: float) -> Report:
    """Reports a part of the work as that part of the whole."""
    return lambda stage, done: report(stage, start + (end - start) * done)


def _match_embeddings(
    samples: Samples, request: Injection, embeddings: ArrayLike | None, copy: Dataset
) -> tuple[Samples, np.ndarray | None]:
    """The samples of the copy to score, and their embeddings as an array.

    Labelled samples without an embedding are left out.
    """
    if embeddings is None:
        return copy, None
    ids = read_labels(samples, request.label_field).ids
    array, kept, missing = read_embeddings(samples, embeddings, ids)
    row = {ids[n]: number for number, n in enumerate(kept)}
    chosen = copy.select(list(row)) if missing else copy
    order = chosen.values("id")
    matched = np.zeros((len(order), array.shape[1]), np.float32)
    for position, one in enumerate(order):
        if one in row:  # else it has no label and is not scored
            matched[position] = array[row[one]]
    return chosen, matched
