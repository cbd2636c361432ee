"""Whether labels can be scored, with few reads: forms ask after each keystroke."""

from __future__ import annotations

from fiftyone import ViewField

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.kinds import find_target
from fiftyone_dfaulo.errors import DFauLoError


def labels_problem(
    samples: Samples, label_field: str, target: LabelTarget | None = None
) -> str:
    """Why the labels of a field cannot be scored; empty if they can.

    Labels of whole samples are all read only if no two of them differ.

    Args:
        samples: a dataset or view that :func:`.media.check_samples` accepts.
        label_field: a field that :func:`.label_fields.check_label_field` accepts.
        target: the labels in it, as they are to be judged; None finds them.
    """
    target = target or find_target(samples, label_field)
    if target.one_class_a_sample and _two_differ(samples, target.class_path):
        return ""
    try:
        read_labels(samples, label_field, target)
    except DFauLoError as error:
        return str(error)
    return ""


def _two_differ(samples: Samples, path: str) -> bool:
    labels = samples.exists(path)
    return any(
        len(labels.match(ViewField(path) != first).limit(1))
        for first in labels.limit(1).values(path)
    )
