"""Views of the samples, or objects, that a run scored."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from fiftyone import ViewField

from fiftyone_dfaulo.adapter.runs.brain_run import (
    DFauLoConfig,
    check_run_field,
    load_config,
)
from fiftyone_dfaulo.adapter.targets.frames import check_shown
from fiftyone_dfaulo.adapter.targets.patches import is_patches
from fiftyone_dfaulo.errors import InputError


def suspicious_view(
    samples: Any,
    brain_key: str = "dfaulo",
    *,
    limit: int | None = None,
    min_suspiciousness: float | None = None,
    unreviewed: bool = False,
) -> Any:
    """The scored samples, or objects, most suspicious first.

    Of a run that scored objects, a dataset or a view of samples is sorted by the most
    suspicious object of each sample; a view of patches, such as
    ``dataset.to_patches("ground_truth")``, by each object.

    Args:
        samples: a dataset or view; of a view, only what is in it is shown.
        brain_key: the key of the run.
        limit: the most samples to show, at least 1; None shows all.
        min_suspiciousness: in [0, 1]; leaves out samples that score lower.
        unreviewed: whether to leave out what has a verdict: samples, also those whose
            objects all have one, or patches.

    Returns:
        a :class:`fiftyone.core.view.DatasetView`.

    Raises:
        InputError: if ``limit`` or ``min_suspiciousness`` is out of range, or the view
            leaves out a field that is needed, or shows other patches; or if the run
            has scored frames and these are none, or the other way round.
        RunError: if there is no such run, or a field that is needed was deleted.
    """
    floor = _check_range(min_suspiciousness)
    _check_limit(limit)
    config = load_config(samples, brain_key)
    check_shown(samples, brain_key, config.place)
    if is_patches(samples, config):
        view, score = _patches(samples, config, floor, unreviewed)
    else:
        view, score = _samples(samples, brain_key, config, floor, unreviewed)
    view = view.sort_by(score, reverse=True)
    return view if limit is None else view.limit(int(limit))


def _samples(
    samples: Any, brain_key: str, config: DFauLoConfig, floor: float, unreviewed: bool
) -> tuple[Any, str]:
    """The scored samples, and the field to sort by: of objects, their maximum."""
    names, place = config.run_fields, config.place
    score = names.suspiciousness
    check_run_field(samples, brain_key, place, score)
    # A comparison, not exists(): it leaves None out too, and can use the index.
    view = samples.match(ViewField(score) >= floor)
    if not unreviewed:
        return view, score
    check_run_field(samples, brain_key, place, place.path(names.verdict))
    if place.list_path is None:
        return view.exists(names.verdict, False), score
    open_ = (ViewField(score) >= floor) & ~ViewField(names.verdict).exists()
    return view.match(ViewField(place.list_path).filter(open_).length() > 0), score


def _patches(
    samples: Any, config: DFauLoConfig, floor: float, unreviewed: bool
) -> tuple[Any, str]:
    """The patches of scored objects, and the attribute to sort by."""
    names = config.run_fields
    score = f"{config.label_field}.{names.suspiciousness}"
    if samples.get_field(score) is None:
        raise InputError(
            f"these patches have no {score!r}: they were made before the run, or the "
            "attribute was deleted; make them anew with to_patches()"
        )
    view = samples.match(ViewField(score) >= floor)
    if unreviewed:
        view = view.exists(f"{config.label_field}.{names.verdict}", False)
    return view, score


def narrow(samples: Any, config: DFauLoConfig, expression: Any) -> Any:
    """The items of a run for which an expression holds: samples, or patches of objects.

    Args:
        samples: a dataset or a view of samples.
        config: the run's.
        expression: of the items' values, as :func:`item_value` names them; None for
            all items.
    """
    if config.list_path is None:
        return samples if expression is None else samples.match(expression)
    if expression is not None:
        samples = samples.filter_labels(config.label_field, expression)
    return as_patches(samples, config.label_field)


def as_patches(samples: Any, label_field: str) -> Any:
    """The objects of a field as patches; of a grouped dataset, the active slice's."""
    if samples.media_type == "group":
        samples = samples.select_group_slices(samples.group_slice)
    return samples.to_patches(label_field)


def item_value(config: DFauLoConfig, part: str) -> ViewField:
    """How :func:`narrow` names a value of the items.

    Args:
        config: the run's.
        part: ``"label"``, or one of :class:`.brain_run.RunFields`,
            of which ``"suggestion"`` means the class.
    """
    whole = config.list_path is None
    if part == "label":
        return ViewField(f"{config.label_field}.label" if whole else "label")
    name = getattr(config.run_fields, part)
    return ViewField(f"{name}.label" if whole and part == "suggestion" else name)


def show_items(samples: Any, config: DFauLoConfig, ids: Sequence[str]) -> Any:
    """A view of these items, in this order: samples, or patches of objects."""
    if config.list_path is None:
        return samples.select(ids, ordered=True)
    field = config.label_field
    some = samples.select_labels(ids=list(ids), fields=field)
    return as_patches(some, field).select(ids, ordered=True)


def _check_range(min_suspiciousness: float | None) -> float:
    if min_suspiciousness is None:
        return 0.0
    number = isinstance(min_suspiciousness, numbers.Real)
    if not number or not 0 <= min_suspiciousness <= 1:
        raise InputError(
            f"min_suspiciousness={min_suspiciousness!r} is not a number from 0 to 1"
        )
    return float(min_suspiciousness)


def _check_limit(limit: int | None) -> None:
    if limit is None:
        return
    whole = isinstance(limit, numbers.Integral) and not isinstance(limit, bool)
    if not whole or limit < 1:
        raise InputError(
            f"limit={limit!r} is not a whole number of 1 or more; leave it out to "
            "show all scored samples"
        )
