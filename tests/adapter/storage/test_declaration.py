"""Fields are added and removed one by one, whatever else changes the schema."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.storage.declaration import (
    declare,
    missing,
    undeclare,
)
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import SCHEMA, RunField

FIELDS = [RunField(f"dfaulo_{part}", spec) for part, spec in SCHEMA.items()]


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Two samples."""
    return make_dataset(["a", "b"])


def stored(dataset: Any) -> list[dict[str, Any]]:
    """The schema in the database, without the times."""
    datasets = fo.core.odm.get_db_conn().datasets
    return [
        _untimed(one) for one in datasets.find_one(dataset._doc.id)["sample_fields"]
    ]


def _untimed(field: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in field.items() if name != "created_at"}
    return {**kept, "fields": [_untimed(one) for one in field.get("fields") or []]}


def test_what_is_declared_is_stored_as_fiftyone_does(
    dataset: Any, make_dataset: Any
) -> None:
    other = make_dataset(["a", "b"])
    for field in FIELDS:
        other.add_sample_field(field.path, info={"dfaulo_run": "t"}, **field.spec)

    declare(Storage(dataset), FIELDS, "t")

    assert stored(dataset) == stored(other)
    assert dataset.get_field_schema().keys() == other.get_field_schema().keys()
    sample = dataset.first()
    sample["dfaulo_suggestion"] = fo.Classification(label="c")
    sample.save()


def test_twice_is_once(dataset: Any) -> None:
    declare(Storage(dataset), FIELDS, "t")
    before = stored(dataset)
    declare(Storage(dataset), FIELDS, "t")
    assert stored(dataset) == before


def test_only_fields_with_the_token_are_undeclared(dataset: Any) -> None:
    storage = Storage(dataset)
    declare(storage, FIELDS[:1], "mine")
    declare(storage, FIELDS[1:2], "yours")
    paths = [field.path for field in FIELDS[:3]]

    undeclare(storage, paths, "mine")

    assert missing(storage, paths) == [paths[0], paths[2]]
    assert not dataset.has_sample_field(paths[0])


def test_attributes_lie_within_their_list(dataset: Any) -> None:
    dataset.add_sample_field(
        "boxes", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    storage = Storage(dataset)
    attribute = RunField("boxes.detections.dfaulo_verdict", SCHEMA["verdict"])
    assert missing(storage, [attribute.path]) == [attribute.path]

    declare(storage, [attribute], "t")
    declare(storage, [attribute], "t")

    assert missing(storage, [attribute.path]) == []
    assert dataset.get_field(attribute.path).info == {"dfaulo_run": "t"}
    undeclare(storage, [attribute.path], "t")
    assert missing(storage, [attribute.path]) == [attribute.path]
