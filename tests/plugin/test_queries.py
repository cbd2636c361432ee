"""The plugin asks the adapter for what the database knows, and never the database."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fiftyone_dfaulo.plugin

PLUGIN = Path(fiftyone_dfaulo.plugin.__file__).parent
COLLECTIONS = {"_sample_collection", "_frame_collection", "collection", "documents"}
QUERIES = {
    "aggregate",
    "bounds",
    "bulk_write",
    "count_documents",
    "count_label_tags",
    "count_sample_tags",
    "count_values",
    "delete_many",
    "delete_one",
    "delete_samples",
    "distinct",
    "estimated_document_count",
    "find_one",
    "first",
    "get_db_conn",
    "histogram_values",
    "insert_many",
    "insert_one",
    "iter_samples",
    "last",
    "set_values",
    "update_many",
    "update_one",
}
"""Methods of FiftyOne's collections and of pymongo's; no dict or list has these."""

QUERIES_WITH_A_FIELD = {"values", "count"}
"""Queries too where they are given one; a dict's ``values`` takes no argument."""


def queries(source: str) -> list[str]:
    """What in a module asks the database, as it is written there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in COLLECTIONS:
            found.append(ast.unparse(node))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, given = node.func.attr, [*node.args, *node.keywords]
        if name in QUERIES or (name in QUERIES_WITH_A_FIELD and given):
            found.append(ast.unparse(node.func))
    return found


@pytest.mark.parametrize(
    "path", sorted(PLUGIN.rglob("*.py")), ids=lambda p: str(p.relative_to(PLUGIN))
)
def test_no_module_of_the_plugin_asks_the_database(path: Path) -> None:
    assert queries(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("view.values('id')", ["view.values"]),
        ("dataset.count_values('label')", ["dataset.count_values"]),
        ("dataset._sample_collection.find({})", ["dataset._sample_collection"]),
        (
            "storage.collection.distinct(x)",
            ["storage.collection.distinct", "storage.collection"],
        ),
        (
            "items.documents.find_one({}, sort=[])",
            ["items.documents.find_one", "items.documents"],
        ),
        ("names.values()", []),
        ("text.find('x') + len(names)", []),
    ],
)
def test_a_query_is_told_from_what_dicts_and_texts_have(
    source: str, found: list[str]
) -> None:
    assert queries(source) == found
