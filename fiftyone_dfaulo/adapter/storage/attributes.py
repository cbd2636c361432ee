"""Attributes of all labels of a list: taken out, or renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fiftyone_dfaulo.adapter.host import Documents
from fiftyone_dfaulo.adapter.storage.items import now

_ITEM = "item"


def drop_attributes(documents: Documents, list_path: str, names: Sequence[str]) -> None:
    """Takes attributes out of all labels of a list: one atomic update a sample.

    Args:
        documents: the samples in the database.
        list_path: where in a sample the list lies.
        names: the attributes.
    """
    there = [{f"{list_path}.{name}": {"$exists": True}} for name in names]
    gone = {f"{list_path}.$[].{name}": "" for name in names}
    documents.update_many({"$or": there}, {"$unset": gone})


def move_attributes(
    documents: Documents, list_path: str, moves: Mapping[str, str]
) -> None:
    """Renames attributes of all labels of a list, in one atomic update a sample.

    Their order stays. FiftyOne's own renaming reads all labels and writes them back,
    which would undo what another process has written meanwhile.

    Args:
        documents: the samples in the database.
        list_path: where in a sample the list lies.
        moves: old to new name.
    """
    branches = [
        {"case": {"$eq": ["$$pair.k", old]}, "then": new} for old, new in moves.items()
    ]
    name = {"$switch": {"branches": branches, "default": "$$pair.k"}}
    pairs = {"$objectToArray": f"$${_ITEM}"}
    pair = {"k": name, "v": "$$pair.v"}
    each = {"$arrayToObject": {"$map": {"input": pairs, "as": "pair", "in": pair}}}
    mapped = {"$map": {"input": f"${list_path}", "as": _ITEM, "in": each}}
    named = [{f"{list_path}.{old}": {"$exists": True}} for old in moves]
    documents.update_many({"$or": named}, [{"$set": {list_path: mapped, **now()}}])
