"""What each field, or attribute, of a run is in FiftyOne's schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
from bson import ObjectId

from fiftyone_dfaulo.adapter.targets.storage import Storage

TOKEN = "dfaulo_run"
"""Where a field's ``info`` holds the token of the run that made it."""

_FIELDS: dict[str, dict[str, Any]] = {
    "suspiciousness": {
        "ftype": fo.FloatField,
        "description": "How likely it is that the label or the image is wrong: 0 to 1, "
        "higher is more likely (DFauLo)",
    },
    "suggestion": {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": fo.Classification,
        "description": "The class that models trained without the suspicious samples "
        "see, and their probability of it (DFauLo)",
    },
    "reasons": {
        "ftype": fo.ListField,
        "subfield": fo.StringField,
        "description": "Why the sample is suspicious (DFauLo)",
    },
    "missing": {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": fo.Classifications,
        "description": "The tags that look missing; their confidence is how likely "
        "they are (DFauLo)",
    },
    "verdict": {
        "ftype": fo.StringField,
        "description": "What a person said: faulty, correct, or nothing so far "
        "(DFauLo)",
    },
    "history": {
        "ftype": fo.ListField,
        "subfield": fo.DictField,
        "description": "Every verdict, when and by whom (DFauLo)",
    },
    "original_label": {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": fo.Classification,
        "description": "The label before it was corrected (DFauLo)",
    },
}
"""Part of a run's name to the field of that part."""

_OF_OBJECTS: dict[str, dict[str, Any]] = {
    # The App's sidebar filters by an object's plain attributes only.
    "suggestion": {
        "ftype": fo.StringField,
        "description": "The class that models trained without the suspicious objects "
        "see (DFauLo)",
    },
}
"""Where an attribute of an object is not what the field of a sample is."""

_OF_TAGS: dict[str, dict[str, Any]] = {
    "suggestion": {
        **_FIELDS["suggestion"],
        "description": "Which tags to remove or to add, and how likely the likeliest "
        "of these changes is right (DFauLo)",
    },
    "original_label": {
        **_FIELDS["original_label"],
        "embedded_doc_type": fo.Classifications,
        "description": "The tags before they were corrected (DFauLo)",
    },
}
"""Where a field is another one if a sample has several tags."""

_MAXIMUM = "The highest suspiciousness of the sample's objects (DFauLo)"


def add_field(
    storage: Storage, path: str, part: str, token: str | None, *, tags: bool = False
) -> None:
    """Adds a field of a run to the schema, marked as the run's own.

    Args:
        storage: the dataset's samples, or its frames.
        path: where it lies: a field of the samples, or an attribute of the objects.
        part: which part of the run it is.
        token: the run's token.
        tags: whether the run has scored tags.
    """
    how = _OF_TAGS.get(part, _FIELDS[part]) if tags else _FIELDS[part]
    if "." in path:
        how = _OF_OBJECTS.get(part, how)
    storage.add_field(path, info={TOKEN: token}, **how)


def add_maximum(storage: Storage, name: str, token: str | None) -> None:
    """Adds the field of the samples with the maximum of their objects."""
    how = {**_FIELDS["suspiciousness"], "description": _MAXIMUM}
    storage.add_field(name, info={TOKEN: token}, **how)


def label_maker() -> Callable[[str, float], dict[str, Any]]:
    """Makes Classifications as FiftyOne stores them, far sooner than FiftyOne does."""
    form = fo.Classification(label="", confidence=0.0).to_dict()

    def make(label: str, confidence: float) -> dict[str, Any]:
        return {**form, "_id": ObjectId(), "label": label, "confidence": confidence}

    return make
