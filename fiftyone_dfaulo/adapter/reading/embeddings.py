"""Reads embeddings from a field, a brain run, or an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.reading.object_embeddings import (
    has_attribute,
    object_ids,
    read_attribute,
    read_patches_run,
)
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.errors import InputError

NO_EMBEDDING = "no embedding"
"""Reason for leaving out a sample, or object, that has none."""

_SAMPLES = Place("")

_RUN_TYPES = ("similarity", "visualization")
_BATCH = 10_000


class EmbeddingSource(NamedTuple):
    """Something on a dataset that holds embeddings.

    Attributes:
        name: name of the field or key of the brain run.
        kind: ``"field"`` or ``"brain run"``.
        detail: the field's type, or the run's type.
    """

    name: str
    kind: str
    detail: str


def list_embeddings(samples: Any, place: Place = _SAMPLES) -> list[EmbeddingSource]:
    """The fields and brain runs that hold an embedding for each sample, or object.

    Args:
        samples: a dataset or view.
        place: where the items lie; of objects, attributes count as fields.

    Returns:
        fields first, each kind in the order of the dataset.
    """
    dataset = samples._root_dataset
    runs = {
        key: dataset.get_brain_info(key).config
        for kind in _RUN_TYPES
        for key in dataset.list_brain_runs(type=kind)
    }
    points = {getattr(config, "points_field", None) for config in runs.values()}
    fields = [
        EmbeddingSource(name, "field", type(field).__name__)
        for name, field in _schema(samples, place).items()
        if _can_hold_vectors(field) and name not in points
    ]
    return fields + [
        EmbeddingSource(key, "brain run", config.type)
        for key, config in runs.items()
        if _run_problem(config, place) is None
    ]


def _schema(samples: Any, place: Place) -> dict[str, Any]:
    """The fields of the samples, or the attributes of the objects that have no box."""
    if place.list_path is None:
        return dict(samples.get_field_schema())
    storage = place.storage(samples._root_dataset)
    field = storage.get_field(place.list_path, leaf=True)
    schema = field.get_field_schema()
    return {name: f for name, f in schema.items() if name not in _NO_EMBEDDINGS}


_NO_EMBEDDINGS = ("bounding_box", "mask", "points")


def check_embeddings(samples: Any, embeddings: Any, place: Place = _SAMPLES) -> None:
    """Makes sure that the source exists and is of the right kind and shape.

    Raises:
        InputError: as :func:`read_embeddings`, apart from what only the values tell.
    """
    if isinstance(embeddings, str):
        _find_source(samples, embeddings, place)
    else:
        _check_array(embeddings, len(_everyone(samples, place)), place)


def _everyone(samples: Any, place: Place) -> list[str]:
    """Ids of all items, labelled or not, in the order of the samples."""
    if place.list_path is None:
        return list(samples.values("id"))
    return object_ids(samples, place)


def read_embeddings(
    samples: Any, embeddings: Any, ids: Sequence[str], place: Place = _SAMPLES
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Reads the embeddings of some samples, or objects.

    Args:
        samples: a dataset or view of N samples, or objects.
        embeddings: name of a field, or an attribute, of vectors, key of a brain run
            that has embeddings (a similarity index, or a visualization made from a
            field or an index), or an (N, D) array in the order of ``samples``.
        ids: ids of the items to read, all of them in ``samples``.
        place: where the items lie.

    Returns:
        the embeddings, float32 (M, D); the positions in ``ids`` that they belong to,
        int64 (M,), ascending; and position to reason for those that have none.

    Raises:
        InputError: if the source does not exist or has no embeddings of samples; if
            the shape is wrong or differs between samples; if a value is not a finite
            number; if no sample has an embedding; if all embeddings are the same.
    """
    if not isinstance(embeddings, str):
        everyone = _everyone(samples, place)
        array = _check_array(embeddings, len(everyone), place)
        row = {one: n for n, one in enumerate(everyone)}
        with np.errstate(over="ignore"):  # infinity is reported below
            array = array[[row[i] for i in ids]].astype(np.float32)
        _check_finite(array, ids, "embeddings")
        _check_differ(array, "embeddings")
        return array, np.arange(len(ids)), {}
    kind, name = _find_source(samples, embeddings, place)
    batches = _read(samples, place, kind, name, ids)
    array, kept = _collect(batches, embeddings)
    if not len(kept):
        raise InputError(
            f"embeddings={embeddings!r} holds no embedding for any of the {len(ids)} "
            f"labelled {place.noun}s; compute them first, or pass another source"
        )
    _check_finite(array, [ids[n] for n in kept], f"{kind} {embeddings!r}")
    _check_differ(array, f"{kind} {embeddings!r}")
    missing = sorted(set(range(len(ids))) - set(kept.tolist()))
    return array, kept, dict.fromkeys(missing, NO_EMBEDDING)


def _can_hold_vectors(field: Any) -> bool:
    if isinstance(field, fo.ListField):
        return isinstance(field.field, fo.FloatField)
    return isinstance(field, (fo.VectorField, fo.ArrayField))


def _find_source(samples: Any, name: str, place: Place) -> tuple[str, str]:
    """Resolves a name to ``("field", name)`` or ``("brain run", key)``."""
    dataset = samples._root_dataset
    if place.list_path and name.startswith(place.path("")):
        name = name.removeprefix(place.path(""))
    field = _schema(samples, place).get(name)
    if field is not None:
        if _can_hold_vectors(field):
            return "field", name
        raise InputError(
            f"embeddings={name!r} is a {type(field).__name__}; expected a field of "
            f"vectors. {_choices(samples, place)}"
        )
    if not dataset.has_brain_run(name):
        if place.list_path and has_attribute(samples, place, name):
            return "field", name  # what it holds is seen when it is read
        raise InputError(
            f"embeddings={name!r} is neither a field of these {place.noun}s nor a "
            f"brain run of the dataset. {_choices(samples, place)}"
        )
    config = dataset.get_brain_info(name).config
    problem = _run_problem(config, place)
    if problem:
        raise InputError(f"embeddings={name!r} {problem}. {_choices(samples, place)}")
    if getattr(config, "embeddings_field", None):
        return _find_source(samples, config.embeddings_field, place)
    if config.type == "visualization":
        return _find_source(samples, config.similarity_index, place)
    return "brain run", name


def _run_problem(config: Any, place: Place) -> str | None:
    """Why a brain run has no embeddings of these items; None if it has."""
    if config.type not in _RUN_TYPES:
        return f"is a brain run of type {config.type!r}, which has no embeddings"
    wanted = place.label_field if place.list_path else None
    if config.patches_field and config.patches_field != wanted:
        other = f"the patches in {wanted!r}" if wanted else "images"
        return f"is a brain run on the patches in {config.patches_field!r}, not {other}"
    if wanted and not config.patches_field:
        return f"is a brain run on images, not on the patches in {wanted!r}"
    if config.type == "visualization" and not (
        config.embeddings_field or config.similarity_index
    ):
        return (
            "is a visualization that kept only the points of its plot; pass the field "
            "or the similarity index with the embeddings that it was made from"
        )
    return None


def _choices(samples: Any, place: Place) -> str:
    found = list_embeddings(samples, place)
    names = ", ".join(f"{s.name} ({s.kind})" for s in found)
    return f"Embeddings here: {names or 'none'}"


def _check_array(embeddings: Any, count: int, place: Place) -> np.ndarray:
    try:
        array = np.asarray(embeddings)
        real = np.issubdtype(array.dtype, np.floating) or np.issubdtype(
            array.dtype, np.integer
        )
    except Exception as error:  # noqa: BLE001 - array-likes raise anything
        raise InputError(
            f"embeddings, a {type(embeddings).__name__}, cannot be read as an array "
            f"({error}); pass a numpy array"
        ) from None
    if array.ndim != 2 or array.shape[0] != count or array.shape[1] == 0 or not real:
        raise InputError(
            f"embeddings has the shape {array.shape} and the type {array.dtype}; "
            f"expected numbers of shape ({count}, D), one row for each of the "
            f"{place.noun}s in their order"
        )
    return array


def _check_finite(array: np.ndarray, ids: Sequence[str], source: str) -> None:
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise InputError(
            f"{source} holds NaN or infinity for {len(bad)} of {len(ids)} samples, "
            f"the first {ids[bad[0]]}; compute those again, or leave the samples out "
            "of the view"
        )


Batch = list[tuple[int, Any]]
"""Positions in the ids, each with its embedding or None."""


def _check_differ(array: np.ndarray, source: str) -> None:
    if len(array) > 1 and (array == array[0]).all():
        raise InputError(
            f"all {len(array)} embeddings from {source} are the same, which tells "
            "nothing about labels; compute them again, or pass another source"
        )


def _read(
    samples: Any, place: Place, kind: str, name: str, ids: Sequence[str]
) -> Iterator[Batch]:
    if place.list_path is None:
        return (_read_field if kind == "field" else _read_run)(samples, name, ids)
    if kind == "field":
        return read_attribute(samples, place, name, ids)
    return read_patches_run(samples, name, ids)


def _read_field(samples: Any, name: str, ids: Sequence[str]) -> Iterator[Batch]:
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        row = dict(zip(*samples.select(part).values(["id", name])))
        yield [(start + n, row.get(sample_id)) for n, sample_id in enumerate(part)]


def _read_run(samples: Any, key: str, ids: Sequence[str]) -> Iterator[Batch]:
    try:
        index = samples._root_dataset.load_brain_results(key)
        found = index.get_embeddings(sample_ids=list(ids), allow_missing=True)
    except Exception as error:  # backends raise anything
        raise InputError(
            f"the embeddings of brain run {key!r} cannot be loaded ({error}); compute "
            "it again, or pass another source"
        ) from error
    row = dict(zip(found[1], found[0]))
    yield [(n, row.get(sample_id)) for n, sample_id in enumerate(ids)]


def _collect(batches: Iterator[Batch], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Stacks the embeddings that there are, and the positions they belong to."""
    blocks, positions = [np.empty((0, 0), np.float32)], []
    for batch in batches:
        rows = [(n, row) for n, row in batch if row is not None]
        if not rows:
            continue
        try:
            with np.errstate(over="ignore"):  # infinity is reported later
                vectors = [np.asarray(row, np.float32) for _, row in rows]
        except (TypeError, ValueError) as error:
            raise InputError(
                f"embeddings={name!r} holds something else than numbers ({error}); "
                "pass another source"
            ) from None
        blocks.append(_stack(vectors, name))
        positions += [n for n, _ in rows]
    widths = {block.shape[1] for block in blocks[1:]}
    if len(widths) > 1:
        raise InputError(_uneven(name, widths))
    array = np.concatenate(blocks[1:]) if positions else blocks[0]
    order = np.argsort(positions) if positions else slice(0)
    return array[order], np.array(positions, np.int64)[order]


def _stack(vectors: list[np.ndarray], name: str) -> np.ndarray:
    shapes = {vector.shape for vector in vectors}
    if any(len(shape) != 1 or shape[0] == 0 for shape in shapes):
        odd = next(shape for shape in shapes if len(shape) != 1 or shape[0] == 0)
        raise InputError(
            f"embeddings={name!r} holds an array of shape {odd}; expected one vector "
            "a sample"
        )
    if len(shapes) > 1:
        raise InputError(_uneven(name, {shape[0] for shape in shapes}))
    return np.stack(vectors)


def _uneven(name: str, widths: set[int]) -> str:
    listed = ", ".join(map(str, sorted(widths)))
    return (
        f"embeddings={name!r} holds vectors of different lengths ({listed}); expected "
        "the same length for all samples"
    )
