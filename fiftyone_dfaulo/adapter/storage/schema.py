"""The fields of a run: what they are called, and what each is in FiftyOne's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import fiftyone as fo
from bson import ObjectId

TOKEN = "dfaulo_run"
"""Where a field's ``info`` holds the token of the run that made it."""

FieldSpec: TypeAlias = Mapping[str, Any]
"""What FiftyOne's ``add_sample_field`` takes to describe a field."""


class RunFields(NamedTuple):
    """Names of what one run writes beside each label: fields, or attributes."""

    suspiciousness: str
    suggestion: str
    reasons: str
    verdict: str


class ReviewFields(NamedTuple):
    """Names of what a run gets in addition when its review first needs it."""

    history: str
    original_label: str
    audit: str


MISSING = "missing"
"""The part with the labels that an item lacks; only some kinds of label have it."""

BETTER_BOX = "better_box"
"""The part with the box that an object should have; only some kinds have it."""

BETTER_BOXES = "better_boxes"
"""The part with these boxes as labels, which the App draws."""

REMOVED = "removed"
"""The part with the objects that corrections have removed; some kinds have it."""

SUGGESTED_TAG = "suggested"
"""The tag of labels that a run has made, which the App colours them by."""

_OTHERS = (MISSING, BETTER_BOX, BETTER_BOXES, REMOVED)
_PARTS = (*RunFields._fields, *ReviewFields._fields, *_OTHERS)


def field_names(brain_key: str) -> RunFields:
    """Names of the values that a run under this key writes."""
    return RunFields(*(f"{brain_key}_{part}" for part in RunFields._fields))


def review_names(brain_key: str) -> ReviewFields:
    """Names of the values that the review of a run under this key adds."""
    return ReviewFields(*(f"{brain_key}_{part}" for part in ReviewFields._fields))


def part_of(name: str) -> str:
    """Which of the run's fields this is: its name without the key."""
    return next(part for part in _PARTS if name.endswith(f"_{part}"))


def is_part(name: str) -> bool:
    """Whether a run could have made a sample's field of this name."""
    return "." not in name and any(name.endswith(f"_{part}") for part in _PARTS)


def rekeyed(path: str, brain_key: str) -> str:
    """What a field of a run is called once the run has this key."""
    at, dot, name = path.rpartition(".")
    return f"{at}{dot}{brain_key}_{part_of(name)}"


SCHEMA: dict[str, FieldSpec] = {
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
    "verdict": {
        "ftype": fo.StringField,
        "description": "What a person said: faulty, correct, unsure, exclude, or "
        "nothing (DFauLo)",
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
    "audit": {
        "ftype": fo.BooleanField,
        "description": "Whether it was drawn at random for the audit (DFauLo)",
    },
}
"""Part of a run to its field, where a sample has one class; kinds differ in some."""


class RunField(NamedTuple):
    """One field, or attribute, of a run.

    Attributes:
        path: where it lies, as ``"ground_truth.detections.dfaulo_verdict"``.
        spec: what it is.
    """

    path: str
    spec: FieldSpec


def missing_field(key: str, kind: type, noun: str) -> RunField:
    """The samples' field with the labels, of this type, that look missing."""
    about = f"The {noun}s that look missing; their confidence is how likely they are"
    return label_field(f"{key}_{MISSING}", kind, about)


def label_field(name: str, kind: type, about: str) -> RunField:
    """A field of the samples with labels of this type, and what it is for."""
    spec = {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": kind,
        "description": f"{about} (DFauLo)",
    }
    return RunField(name, spec)


MakeLabel: TypeAlias = Callable[[str, float], dict[str, Any]]
"""Makes a Classification of a label and a confidence, as FiftyOne stores it."""


def label_maker() -> MakeLabel:
    """Makes stored Classifications, far sooner than FiftyOne does."""
    form = fo.Classification(label="", confidence=0.0).to_dict()

    def make(label: str, confidence: float) -> dict[str, Any]:
        return {**form, "_id": ObjectId(), "label": label, "confidence": confidence}

    return make
