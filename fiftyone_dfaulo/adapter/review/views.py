"""Views of the samples, or objects, that a run scored."""

from __future__ import annotations

import numbers

from fiftyone import ViewField

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.mapped import check_not_mapped
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.lookup import check_run_field, load_config
from fiftyone_dfaulo.adapter.targets.shown import check_shown
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import InputError


@public
def suspicious_view(
    samples: Samples,
    brain_key: str = "dfaulo",
    *,
    limit: int | None = None,
    min_suspiciousness: float | None = None,
    unreviewed: bool = False,
) -> Samples:
    """The scored samples, or objects, most suspicious first.

    Of a run that scored objects, a dataset or a view of samples is sorted by the most
    suspicious object of each sample; a view of patches, such as
    ``dataset.to_patches("ground_truth")``, by each object.

    Args:
        samples: a dataset or view; of a view, only what is in it is shown.
        brain_key: the key of the run.
        limit: the most samples to show, at least 1; None shows all.
        min_suspiciousness: in [0, 1]; leaves out samples that score lower.
        unreviewed: whether to leave out samples, or patches, that have a verdict. A
            sample whose objects are scored is left out if all of them have one.

    Returns:
        a :class:`fiftyone.core.view.DatasetView`.

    Raises:
        InputError: if ``limit`` or ``min_suspiciousness`` is out of range, or the view
            leaves out a field that is needed, shows other patches or maps the labels;
            or if only one of the run and the view is of frames.
        RunError: if there is no such run, or a field that is needed was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> worst.count_values("ground_truth.label")
        {'dog': 6}
        >>> worst.count_values("dfaulo_suggestion.label")
        {'cat': 6}
    """
    floor = _check_range(min_suspiciousness)
    if limit is not None:
        advice = "leave it out to show all scored samples"
        limit = check_whole_number("limit", limit, 1, advice=advice)
    config = load_config(samples, brain_key)
    check_not_mapped(samples, config.target)
    return most_suspicious(
        samples, brain_key, config, limit=limit, floor=floor, unreviewed=unreviewed
    )


def most_suspicious(
    samples: Samples,
    brain_key: str,
    config: DFauLoConfig,
    *,
    limit: int | None = None,
    floor: float = 0.0,
    unreviewed: bool = False,
) -> Samples:
    """As :func:`suspicious_view`, by the config of the run."""
    check_shown(samples, brain_key, config.target)
    if config.target.shows_patches(samples):
        view, score = _patches(samples, config, floor, unreviewed)
    else:
        view, score = _samples(samples, brain_key, config, floor, unreviewed)
    view = view.sort_by(score, reverse=True, create_index=False)
    return view if limit is None else view.limit(limit)


def _samples(
    samples: Samples, key: str, config: DFauLoConfig, floor: float, unreviewed: bool
) -> tuple[Samples, str]:
    """The scored samples, and the field to sort by: of objects, their maximum."""
    names, target = config.run_fields, config.target
    score = names.suspiciousness
    check_run_field(samples, key, target, score)
    # A comparison, not exists(): it leaves None out too, and can use the index.
    view = samples.match(ViewField(score) >= floor)
    if not unreviewed:
        return view, score
    check_run_field(samples, key, target, target.path(names.verdict))
    return target.unreviewed(view, names, floor), score


def _patches(
    samples: Samples, config: DFauLoConfig, floor: float, unreviewed: bool
) -> tuple[Samples, str]:
    """The patches of scored objects, and the attribute to sort by."""
    names, target = config.run_fields, config.target
    score = target.tile_path(names.suspiciousness)
    if samples.get_field(score) is None:
        raise InputError(
            f"these patches have no {score!r}: they were made before the run, or the "
            "attribute was deleted; make them anew with to_patches()"
        )
    view = samples.match(ViewField(score) >= floor)
    if unreviewed:
        view = view.exists(target.tile_path(names.verdict), False)
    return view, score


def _check_range(min_suspiciousness: float | None) -> float:
    if min_suspiciousness is None:
        return 0.0
    number = isinstance(min_suspiciousness, numbers.Real)
    if not number or not 0 <= min_suspiciousness <= 1:
        raise InputError(
            f"min_suspiciousness={min_suspiciousness!r} is not a number from 0 to 1"
        )
    return float(min_suspiciousness)


def view_ids(view: Samples) -> list[str]:
    """Ids of what a view shows, in its order."""
    return list(view.values("id"))
