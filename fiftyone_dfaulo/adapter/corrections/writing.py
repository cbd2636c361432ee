"""Writes labels, and says which ones another hand has changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.storage.items import Item


def write(
    review: ReviewSession,
    items: Mapping[str, Item],
    updates: Mapping[str, UpdateOne],
    *,
    applied: bool,
) -> list[str]:
    """Writes; returns the ids of the items that another hand had changed."""
    missing: list[str] = []
    matched, _ = review.write(list(updates.values()))
    if matched < len(updates):
        kept = {review.own.original_label: None if applied else {"$ne": None}}
        missing = [str(item["_id"]) for item in review.find(list(updates), kept)]
    review.show_written([items[one] for one in updates])
    return missing
