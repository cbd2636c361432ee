"""The colours of a run on the App's tiles, where nobody has chosen any.

The App writes black on them in the light and white in the dark. So every colour has a
luminance of about 0.18, at which both can be read: their contrast is 4.5 to 1 or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import fiftyone.core.odm as foo

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

_VALUES = {
    "_verdict": {"faulty": FAULTY, "correct": CORRECT},
    # the App colours what stands on the tile: a score with three digits
    "_suspiciousness": {
        f"{n / 1000:g}": LIKELY if n >= 500 else UNLIKELY for n in range(1001)
    },
    f"_{MISSING}": {SUGGESTED_TAG: SUGGESTED},
    f"_{BETTER_BOXES}": {SUGGESTED_TAG: SUGGESTED},
}
"""The end of a field's name to the colours of its values; of the last two, to those of
the tags of its labels."""

_OF_BOXES = (f"_{MISSING}", f"_{BETTER_BOXES}")


def color_fields(
    dataset: Dataset, added: Sequence[str] = (), dropped: Sequence[str] = ()
) -> None:
    """Has the App's colours follow the fields of a run; a person's own stay.

    Args:
        dataset: the dataset.
        added: paths of fields that a run has got.
        dropped: paths of fields that a run no more has.
    """
    settings = dataset.app_config
    paths = _colored_by_us(dataset)
    if settings.color_scheme is not None and paths is None:
        return
    paths = paths or []
    every = dict.fromkeys([*paths, *_colored(added)])
    wanted = [path for path in every if path not in _colored(dropped)]
    if wanted != paths:
        settings.color_scheme = _scheme(wanted) if wanted else None
        dataset._doc.save()


def own_scheme(dataset: Dataset) -> dict[str, object] | None:
    """The dataset's colours as the App takes them; None if they are not ours."""
    paths = _colored_by_us(dataset)
    if paths is None:
        return None
    scheme = _scheme(paths)
    parts = ("color_by", "color_pool", "fields")
    return {part: getattr(scheme, part) for part in parts}


def _colored_by_us(dataset: Dataset) -> list[str] | None:
    """The fields whose colours we have set; None if the scheme is not ours."""
    now = dataset.app_config.color_scheme
    if now is None:
        return None
    paths = [field.get("path", "") for field in now._data.get("fields") or ()]
    return paths if _is(now, paths) else None


def _colored(fields: Iterable[str]) -> list[str]:
    names = [path for path in fields if "." not in path and _values_of(path)]
    boxes = any(name.endswith(f"_{BETTER_BOXES}") for name in names)
    return [name for name in names if boxes or not name.endswith(_OF_BOXES)]


def _values_of(path: str) -> list[dict[str, str]]:
    """The colours of a field's values, as the App takes them; none for most fields."""
    colors = next((_VALUES[end] for end in _VALUES if path.endswith(end)), {})
    return [{"value": value, "color": color} for value, color in colors.items()]


def _attribute_of(path: str) -> dict[str, str]:
    """Which attribute of its labels has the values; of other fields nothing."""
    return {"colorByAttribute": "tags"} if path.endswith(_OF_BOXES) else {}


def _scheme(paths: Iterable[str]) -> foo.ColorScheme:
    fields = [
        {"path": path, "valueColors": _values_of(path), **_attribute_of(path)}
        for path in paths
    ]
    return foo.ColorScheme(color_by="value", color_pool=list(POOL), fields=fields)


def _is(scheme: foo.ColorScheme, paths: Iterable[str]) -> bool:
    """Whether a scheme is the one that we make for these fields.

    Compared as they lie in memory: whoever asks mongoengine for a thousand colours
    waits until it has looked at each for references to other documents.
    """
    ours = _scheme(paths)
    parts = [name for name in ours._fields if name != "id"]
    return all(scheme._data.get(part) == ours._data.get(part) for part in parts)
