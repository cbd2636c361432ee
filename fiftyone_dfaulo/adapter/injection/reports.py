"""What was found out about a dataset, kept with it, so that it can be compared."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import fiftyone.core.odm as foo

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation
from fiftyone_dfaulo.adapter.injection.request import Injection
from fiftyone_dfaulo.adapter.scoring.request import AUTO, LOOK
from fiftyone_dfaulo.adapter.storage.documents import JOURNALLED
from fiftyone_dfaulo.adapter.storage.refresh import (
    dataset_document,
    dataset_id,
    refresh,
)
from fiftyone_dfaulo.config import Settings

REPORTS = "dfaulo_quality"
"""Where ``dataset.info`` holds the reports."""

_MOST = 100
"""A report takes half a kilobyte of the dataset's document, which may hold 16 MB."""


@public
def quality_reports(samples: Samples) -> list[dict[str, Any]]:
    """What :func:`fiftyone_dfaulo.estimate_quality` has kept, newest first.

    Args:
        samples: the dataset, or any view into it.

    Returns:
        dicts with ``at`` (ISO 8601, UTC), ``label_field``, ``kind``, ``rate``, ``seed``
        and ``method``; ``source``, what was scored with; ``figures``, the metrics;
        ``with_real``, those that change when the faults from before are counted in; and
        ``real``, how many these are: see :class:`.Evaluation`.

    Raises:
        RunError: if the dataset was deleted.

    Examples:
        >>> quality = dfaulo.estimate_quality(
        ...     dataset, embeddings="my_embeddings", keep=True, progress=False
        ... )
        >>> newest = dfaulo.quality_reports(dataset)[0]
        >>> newest["kind"], newest["figures"]["AP"] == quality["AP"]
        ('random_label', True)
    """
    kept = (dataset_document(samples._root_dataset).get("info") or {}).get(REPORTS)
    return list(reversed(kept)) if isinstance(kept, list) else []


def keep_report(
    dataset: Dataset,
    request: Injection,
    source: str,
    settings: Settings,
    found: Evaluation,
) -> None:
    """Keeps a report with the dataset, by one step that leaves all else as it is."""
    report = {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "label_field": request.label_field,
        "kind": request.kind,
        "rate": float(request.rate),
        "seed": int(request.seed),
        "method": settings.method,
        "source": source,
        "figures": dict(found),
        "with_real": dict(found.with_real),
        "real": found.real._asdict() if found.real else {},
    }
    documents = foo.get_db_conn().datasets.with_options(write_concern=JOURNALLED)
    push = {f"info.{REPORTS}": {"$each": [report], "$slice": -_MOST}}
    documents.update_one({"_id": dataset_id(dataset)}, {"$push": push})
    refresh(dataset)


def name_source(embeddings: Any, settings: Settings) -> str:
    """What was scored with, in words."""
    if settings.predictions == AUTO:
        return "a detector trained here"
    if settings.predictions == LOOK:
        return "networks that look at the boxes"
    if embeddings is not None:
        given = isinstance(embeddings, str)
        return f"embeddings {embeddings}" if given else "embeddings, an array"
    if settings.predictions:
        return f"predictions {settings.predictions}"
    if settings.model is not None:
        return f"model {settings.model}"
    return "a network trained here"
