"""Where objects have embeddings: an attribute of theirs, or a brain run on patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import fiftyone.core.utils as fou

from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.errors import InputError

_BATCH = 10_000


def object_ids(samples: Any, place: Place) -> list[str]:
    """Ids of the objects of a dataset, a view, or a view of patches, in its order."""
    if samples._is_patches:
        return list(samples.values("id"))
    return list(samples.values(place.path("id"), unwind=True))


def has_attribute(samples: Any, place: Place, name: str) -> bool:
    """Whether the objects have an attribute, declared in the schema or not."""
    storage = place.storage(samples._root_dataset)
    if storage.has_field(place.path(name)):
        return True
    query = {place.path(name): {"$exists": True}}
    return storage.collection.find_one(query, {"_id": True}) is not None


def read_attribute(
    samples: Any, place: Place, name: str, ids: Sequence[str]
) -> Iterator[list[tuple[int, Any]]]:
    """The values of an attribute, with the positions of their objects in the ids."""
    number = {one: n for n, one in enumerate(ids)}
    if samples._is_patches:
        paths = ["id", f"{place.label_field}.{name}"]
    else:
        paths = [place.path("id"), place.path(name)]
    everyone = samples.values("id")
    for start in range(0, len(everyone), _BATCH):
        some = samples.select(everyone[start : start + _BATCH])
        found, values = some.values(paths, unwind=False)
        if not samples._is_patches:
            pairs = [p for a, b in zip(found, values) for p in zip(a or (), b or ())]
        else:
            pairs = list(zip(found, values))
        yield [(number[one], plain(row)) for one, row in pairs if one in number]


def plain(value: Any) -> Any:
    """An array that no schema declares comes as FiftyOne stores it."""
    return fou.deserialize_numpy_array(value) if isinstance(value, bytes) else value


def read_patches_run(
    samples: Any, key: str, ids: Sequence[str]
) -> Iterator[list[tuple[int, Any]]]:
    """The embeddings of a similarity index on patches, by positions in the ids.

    Raises:
        InputError: if they cannot be loaded.
    """
    try:
        index = samples._root_dataset.load_brain_results(key)
        known = set(map(str, index.label_ids))
        there = [n for n, one in enumerate(ids) if one in known]
        wanted = [ids[n] for n in there]
        vectors = index.get_embeddings(label_ids=wanted)[0] if there else []
    except Exception as error:  # backends raise anything
        raise InputError(
            f"the embeddings of brain run {key!r} cannot be loaded ({error}); compute "
            "it again, or pass another source"
        ) from error
    row = dict(zip(there, vectors))
    yield [(n, row.get(n)) for n in range(len(ids))]
