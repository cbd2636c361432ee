"""Views of the samples that a run scored."""

from __future__ import annotations

import numbers
from typing import Any

from fiftyone import ViewField

from fiftyone_dfaulo.adapter.runs import check_run_field, load_config
from fiftyone_dfaulo.errors import InputError


def suspicious_view(
    samples: Any,
    brain_key: str = "dfaulo",
    *,
    limit: int | None = None,
    min_suspiciousness: float | None = None,
    unreviewed: bool = False,
) -> Any:
    """The scored samples, most suspicious first.

    Args:
        samples: a dataset or view; of a view, only its own samples are shown.
        brain_key: the key of the run.
        limit: the most samples to show, at least 1; None shows all.
        min_suspiciousness: in [0, 1]; leaves out samples that score lower.
        unreviewed: whether to leave out samples that have a verdict.

    Returns:
        a :class:`fiftyone.core.view.DatasetView`.

    Raises:
        InputError: if ``limit`` or ``min_suspiciousness`` is out of range, or the view
            leaves out a field that is needed.
        RunError: if there is no such run, or a field that is needed was deleted.
    """
    floor = _check_range(min_suspiciousness)
    _check_limit(limit)
    names = load_config(samples, brain_key).run_fields
    check_run_field(samples, brain_key, names.suspiciousness)
    # A comparison, not exists(): it leaves None out too, and can use the index.
    view = samples.match(ViewField(names.suspiciousness) >= floor)
    if unreviewed:
        check_run_field(samples, brain_key, names.verdict)
        view = view.exists(names.verdict, False)
    view = view.sort_by(names.suspiciousness, reverse=True)
    return view if limit is None else view.limit(int(limit))


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
