"""Fields that hold predictions, of a classifier or of a detector."""

from __future__ import annotations

from collections.abc import Callable

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.runs.lookup import fields_of_runs
from fiftyone_dfaulo.adapter.storage.documents import all_fields
from fiftyone_dfaulo.errors import InputError


def fields_of_type(samples: Samples, label_field: str, kind: type) -> list[str]:
    """The fields of labels of a type; not the label field itself, nor those of runs."""
    own = {label_field, *fields_of_runs(samples._root_dataset)}
    return [
        name
        for name, field in all_fields(samples.get_field_schema()).items()
        if issubclass(getattr(field, "document_type", type(None)), kind)
        and name not in own
    ]


def field_type(
    samples: Samples,
    field: str,
    label_field: str,
    whose: str,
    choices: Callable[[Samples, str], str],
) -> type:
    """The type of a field of predictions.

    Args:
        samples: a dataset or view.
        field: the field.
        label_field: the field with the labels.
        whose: whose predictions they are, as ``"a model's"``.
        choices: says which fields there are.

    Raises:
        InputError: if there is no such field, or it is the label field.
    """
    known = all_fields(samples.get_field_schema()).get(field)
    if field != label_field and known is not None:
        kind: type = getattr(known, "document_type", type(known))
        return kind
    problem = f"there is no predictions={field!r} in these samples"
    if field == label_field:
        problem = (
            f"predictions={field!r} is the label field; pass the field with {whose} "
            "predictions"
        )
    raise InputError(f"{problem}. {choices(samples, label_field)}")
