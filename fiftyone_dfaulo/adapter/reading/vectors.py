"""Embeddings that were read: stacked, and those that tell something of their items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fiftyone_dfaulo.adapter.targets.labels import Values
from fiftyone_dfaulo.errors import InputError

NO_EMBEDDING = "no embedding"
"""Reason for leaving out a sample, or object, that has none."""
NOT_FINITE = "its embedding holds NaN or infinity"
CONSTANT = "its embedding is the same number throughout"
"""Reason for leaving out one whose embedding tells nothing: what failed before is often
stored as zeros."""


def collect(batches: Values, name: str) -> tuple[np.ndarray, np.ndarray]:
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


def telling(
    array: np.ndarray, kept: np.ndarray, ids: Sequence[str], source: str
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Leaves out the embeddings that tell nothing.

    Args:
        array: float32 (M, D), those that were found.
        kept: int64 (M,), ascending positions of their items in ``ids``.
        ids: ids of all items.
        source: what they come from, for messages.

    Returns:
        as :func:`.embeddings.read_embeddings`.

    Raises:
        InputError: if none tells something, or all that do are the same.
    """
    finite = np.isfinite(array).all(axis=1)
    constant = (array == array[:, :1]).all(axis=1) & (array.shape[1] > 1)
    good = finite & ~constant
    if not good.any():
        why = "NaN or infinity" if not finite.any() else "one number throughout"
        raise InputError(
            f"{source} holds {why} for all {len(ids)} samples, the first {ids[0]}; "
            "compute the embeddings again, or pass another source"
        )
    _check_differ(array, good, source)
    reasons = dict.fromkeys(range(len(ids)), NO_EMBEDDING)
    reasons |= dict.fromkeys(kept[~finite].tolist(), NOT_FINITE)
    reasons |= dict.fromkeys(kept[finite & constant].tolist(), CONSTANT)
    for position in kept[good].tolist():
        del reasons[position]
    if good.all():  # no copy of what may be gigabytes
        return array, kept, reasons
    return array[good], kept[good], reasons


def _check_differ(array: np.ndarray, good: np.ndarray, source: str) -> None:
    rows = np.flatnonzero(good)
    differ = any((array[n] != array[rows[0]]).any() for n in rows[1:])
    if len(rows) > 1 and not differ:
        raise InputError(
            f"all {len(rows)} embeddings from {source} are the same, which tells "
            "nothing about labels; compute them again, or pass another source"
        )
