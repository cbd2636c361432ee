"""Reads embeddings from a field, a brain run, or an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.host import Field, Samples
from fiftyone_dfaulo.adapter.reading.vectors import collect, telling
from fiftyone_dfaulo.adapter.storage.schema import TOKEN
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.labels import Values
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.errors import InputError

_SAMPLES = SampleTarget("")

_RUN_TYPES = ("similarity", "visualization")


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


def list_embeddings(
    samples: Samples, target: LabelTarget = _SAMPLES
) -> list[EmbeddingSource]:
    """The fields and brain runs that hold an embedding for each sample, or object.

    Args:
        samples: a dataset or view.
        target: the labels; of objects, attributes count as fields.

    Returns:
        fields first, each kind in the order of the dataset; none that a run of ours has
        made, and that tells what is known already.
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
        for name, field in target.vector_fields(samples).items()
        if _can_hold_vectors(field) and name not in points and not _is_ours(field)
    ]
    return fields + [
        EmbeddingSource(key, "brain run", config.type)
        for key, config in runs.items()
        if _run_problem(config, target) is None
    ]


def check_embeddings(
    samples: Samples, embeddings: Any, target: LabelTarget = _SAMPLES
) -> None:
    """Makes sure that the source exists and is of the right kind and shape.

    Raises:
        InputError: as :func:`read_embeddings`, as far as that is known without reading
            the values.
    """
    if isinstance(embeddings, str):
        _find_source(samples, embeddings, target)
    else:
        _check_array(embeddings, len(target.item_ids(samples)), target)


def read_embeddings(
    samples: Samples,
    embeddings: Any,
    ids: Sequence[str],
    target: LabelTarget = _SAMPLES,
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Reads the embeddings of some samples, or objects.

    Args:
        samples: a dataset or view of N samples, or objects.
        embeddings: name of a field, or an attribute, of vectors, key of a brain run
            that has embeddings (a similarity index, or a visualization made from a
            field or an index), or an (N, D) array in the order of ``samples``.
        ids: ids of the items to read, all of them in ``samples``.
        target: the labels that the items have.

    Returns:
        the embeddings, float32 (M, D), finite; the positions in ``ids`` that they
        belong to, int64 (M,), ascending; and position to reason for those that have
        none, or one that is not finite, or a single number throughout.

    Raises:
        InputError: if the source does not exist or has no embeddings of samples; if
            the shape is wrong or differs between samples; if no sample has an embedding
            that tells something; if all embeddings are the same.
    """
    if not isinstance(embeddings, str):
        everyone = target.item_ids(samples)
        array = _check_array(embeddings, len(everyone), target)
        row = {one: n for n, one in enumerate(everyone)}
        order = np.array([row[i] for i in ids], np.int64)
        if len(order) < len(array) or (np.diff(order) < 0).any():
            array = array[order]  # a copy; none is made of what is in order
        with np.errstate(over="ignore"):  # infinity is reported below
            array = array.astype(np.float32, copy=False)
        return telling(array, np.arange(len(ids)), ids, "embeddings")
    kind, name = _find_source(samples, embeddings, target)
    batches = _read(samples, target, kind, name, ids)
    array, kept = collect(batches, embeddings)
    if not len(kept):
        raise InputError(
            f"embeddings={embeddings!r} holds no embedding for any of the {len(ids)} "
            f"labelled {target.noun}s; compute them first, or pass another source"
        )
    return telling(array, kept, ids, f"{kind} {embeddings!r}")


def _can_hold_vectors(field: Field) -> bool:
    if isinstance(field, fo.ListField):
        return isinstance(field.field, fo.FloatField)
    return isinstance(field, (fo.VectorField, fo.ArrayField))


def _is_ours(field: Field) -> bool:
    """Whether a run of ours has made it, such as a better box of four numbers."""
    return TOKEN in (field.info or {})


def _find_source(samples: Samples, name: str, target: LabelTarget) -> tuple[str, str]:
    """Resolves a name to ``("field", name)`` or ``("brain run", key)``."""
    dataset = samples._root_dataset
    name = name.removeprefix(target.path(""))
    field = target.vector_fields(samples).get(name)
    if field is not None:
        if _can_hold_vectors(field):
            return "field", name
        raise InputError(
            f"embeddings={name!r} is a {type(field).__name__}; expected a field of "
            f"vectors. {_choices(samples, target)}"
        )
    if not dataset.has_brain_run(name):
        if target.has_attribute(samples, name):
            return "field", name  # what it holds is seen when it is read
        raise InputError(
            f"embeddings={name!r} is neither a field of these {target.noun}s nor a "
            f"brain run of the dataset. {_choices(samples, target)}"
        )
    config = dataset.get_brain_info(name).config
    problem = _run_problem(config, target)
    if problem:
        raise InputError(f"embeddings={name!r} {problem}. {_choices(samples, target)}")
    if getattr(config, "embeddings_field", None):
        return _find_source(samples, config.embeddings_field, target)
    if config.type == "visualization":
        return _find_source(samples, config.similarity_index, target)
    return "brain run", name


def _run_problem(config: Any, target: LabelTarget) -> str | None:
    """Why a brain run has no embeddings of these items; None if it has."""
    if config.type not in _RUN_TYPES:
        return f"is a brain run of type {config.type!r}, which has no embeddings"
    wanted = target.patches_field
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


def _choices(samples: Samples, target: LabelTarget) -> str:
    found = list_embeddings(samples, target)
    names = ", ".join(f"{s.name} ({s.kind})" for s in found)
    return f"Embeddings here: {names or 'none'}"


def _check_array(embeddings: Any, count: int, target: LabelTarget) -> np.ndarray:
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
            f"{target.noun}s in their order"
        )
    return array


def _read(
    samples: Samples, target: LabelTarget, kind: str, name: str, ids: Sequence[str]
) -> Values:
    if kind == "field":
        return target.read_field(samples, name, ids)
    return _read_run(samples, target, name, ids)


def _read_run(
    samples: Samples, target: LabelTarget, key: str, ids: Sequence[str]
) -> Values:
    try:
        index = samples._root_dataset.load_brain_results(key)
        row = target.read_index(index, ids)
    except Exception as error:  # backends raise anything
        raise InputError(
            f"the embeddings of brain run {key!r} cannot be loaded ({error}); compute "
            "it again, or pass another source"
        ) from error
    yield [(n, row.get(one)) for n, one in enumerate(ids)]
