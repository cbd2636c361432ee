"""The colours of a run on the App's tiles, where nobody has chosen any.

The App writes black on them in the light and white in the dark. So every colour has a
luminance of about 0.18, at which both can be read: their contrast is 4.5 to 1 or more.

FiftyOne loads and saves the colours with the dataset, and takes 40 ms for a thousand of
them. So of the scores, those are stored that there are; the App gets all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone.core.odm as foo
import numpy as np

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.storage.schema import (
    BETTER_BOXES,
    MISSING,
    SUGGESTED_TAG,
)

FAULTY, CORRECT = "#e81a13", "#138830"
LIKELY, UNLIKELY = "#b95c0a", "#6d7780"
"""Of scores of 0.5 or more, and of lower ones."""

SUGGESTED = "#cf1fc0"
"""Of objects that look missing, and of boxes where they should be."""

POOL = ("#1079c5", "#9056e1", "#0f837f", "#aa6340", "#466de5", "#7a7a0e")
"""Of all other values; none is like those of the verdicts."""

_SCORE = "_suspiciousness"

_VALUES = {
    "_verdict": {
        "faulty": FAULTY,
        "correct": CORRECT,
        "unsure": UNLIKELY,
        "exclude": LIKELY,
    },
    # the App colours what stands on the tile: a score with three digits
    _SCORE: {f"{n / 1000:g}": LIKELY if n >= 500 else UNLIKELY for n in range(1001)},
    f"_{MISSING}": {SUGGESTED_TAG: SUGGESTED},
    f"_{BETTER_BOXES}": {SUGGESTED_TAG: SUGGESTED},
}
"""The end of a field's name to the colours of its values; of the last two, to those of
the tags of its labels."""

_OF_BOXES = (f"_{MISSING}", f"_{BETTER_BOXES}")


def color_fields(
    dataset: Dataset,
    added: Sequence[str] = (),
    dropped: Sequence[str] = (),
    scores: Iterable[float] = (),
) -> None:
    """Has the App's colours follow the fields of a run; a person's own stay.

    Args:
        dataset: the dataset.
        added: paths of fields that a run has got.
        dropped: paths of fields that a run no more has.
        scores: what is in the added field of scores, and in that of their objects.
    """
    now = _ours(dataset)
    if now is None:
        return
    gone = _colored(dropped)
    wanted = [field for field in now if field["path"] not in gone]
    there = {field["path"] for field in wanted}
    wanted += [_field(path, scores) for path in _colored(added) if path not in there]
    _keep(dataset, now, wanted)


def color_scores(dataset: Dataset, path: str, scores: Iterable[float]) -> None:
    """Has the App colour these scores too, which a field that has colours has got."""
    now = _ours(dataset) or []
    wanted = [
        _field(path, [*_scores_of(field), *scores]) if field["path"] == path else field
        for field in now
    ]
    _keep(dataset, now, wanted)


def colored_scores(dataset: Dataset, fields: Iterable[str]) -> list[float]:
    """The scores that have colours in one of these fields; none if none has."""
    found = [field for field in _ours(dataset) or () if field["path"] in {*fields}]
    return [score for field in found for score in _scores_of(field)]


def own_scheme(dataset: Dataset) -> dict[str, object] | None:
    """The dataset's colours as the App takes them; None if they are not ours."""
    fields = _ours(dataset)
    if not fields:
        return None
    scheme = _scheme([_field(field["path"]) for field in fields])
    parts = ("color_by", "color_pool", "fields")
    return {part: getattr(scheme, part) for part in parts}


_Field = dict[str, Any]
"""A field's colours, as the App and FiftyOne take them."""


def _ours(dataset: Dataset) -> list[_Field] | None:
    """The fields that have colours of ours; None if a person has chosen some.

    Looked at as they lie in memory: whoever asks mongoengine for a thousand colours
    waits until it has looked into each for references to other documents.
    """
    now = dataset.app_config.color_scheme
    if now is None:
        return []
    fields = [
        {**field, "valueColors": list(map(dict, field.get("valueColors") or ()))}
        for field in now._data.get("fields") or ()
    ]
    ours = _scheme([])
    parts = [name for name in ours._fields if name not in ("id", "fields")]
    same = all(now._data.get(part) == ours._data.get(part) for part in parts)
    return fields if same and all(map(_is_ours, fields)) else None


def _is_ours(field: _Field) -> bool:
    """Whether it is a field of :func:`_field`'s, with some of its colours or all."""
    whole = _field(field.get("path", ""))
    colors = _by_value(whole)
    return {**field, "valueColors": whole["valueColors"]} == whole and all(
        one == {"value": one.get("value"), "color": colors.get(one.get("value", ""))}
        for one in field["valueColors"]
    )


def _keep(dataset: Dataset, now: list[_Field], wanted: list[_Field]) -> None:
    if wanted != now:
        dataset.app_config.color_scheme = _scheme(wanted) if wanted else None
        dataset._doc.save()


def _colored(fields: Iterable[str]) -> list[str]:
    names = [path for path in fields if "." not in path and _values_of(path)]
    boxes = any(name.endswith(f"_{BETTER_BOXES}") for name in names)
    return [name for name in names if boxes or not name.endswith(_OF_BOXES)]


def _values_of(path: str) -> dict[str, str]:
    """Value to colour; none for most fields."""
    return next((_VALUES[end] for end in _VALUES if path.endswith(end)), {})


def _field(path: str, scores: Iterable[float] | None = None) -> _Field:
    """The colours of a field; of one with scores, of these scores, or of all (None)."""
    colors = _values_of(path)
    if scores is not None and path.endswith(_SCORE):
        colors = {value: colors[value] for value in _texts(scores)}
    values = [{"value": value, "color": color} for value, color in colors.items()]
    return {"path": path, "valueColors": values, **_attribute_of(path)}


def _texts(scores: Iterable[float]) -> list[str]:
    """Scores as they stand on tiles: the ends, and both numbers next to each score."""
    values = 1000 * np.clip([0.0, 1.0, *scores], 0.0, 1.0)
    values = np.concatenate([np.floor(values), np.ceil(values)])
    return [f"{n / 1000:g}" for n in np.unique(values[np.isfinite(values)])]


def _scores_of(field: _Field) -> list[float]:
    return [
        float(value) for value in _by_value(field) if field["path"].endswith(_SCORE)
    ]


def _by_value(field: _Field) -> dict[str, str]:
    return {one["value"]: one["color"] for one in field["valueColors"]}


def _attribute_of(path: str) -> dict[str, str]:
    """Which attribute of its labels has the values; of other fields nothing."""
    return {"colorByAttribute": "tags"} if path.endswith(_OF_BOXES) else {}


def _scheme(fields: list[_Field]) -> foo.ColorScheme:
    return foo.ColorScheme(color_by="value", color_pool=list(POOL), fields=fields)
