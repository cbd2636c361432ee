"""FiftyOne's types, by the short names that signatures here use."""

from __future__ import annotations

from typing import Any, TypeAlias

from fiftyone.core.collections import SampleCollection as Samples
from fiftyone.core.dataset import Dataset
from fiftyone.core.fields import Field
from pymongo.collection import Collection

__all__ = ["Dataset", "Documents", "Field", "Samples"]

Documents: TypeAlias = Collection[dict[str, Any]]
"""A collection in the database: the samples of a dataset, or its frames."""
