"""Finds suspicious labels in FiftyOne image datasets.

This file is two doors to one house. As the package it offers the public names below,
each imported on first use, so that ``import fiftyone_dfaulo`` stays light. As the
``py_entry`` of ``fiftyone.yml``, FiftyOne executes it a second time under a made-up
name and calls :func:`register`, which hands over to the package under its real name:
every class exists once, whichever door it is reached by.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:  # what type checkers see of the names below; a test compares
    from .adapter.cache import CachedRun as CachedRun
    from .adapter.cache import CacheInfo as CacheInfo
    from .adapter.cache import cache_info as cache_info
    from .adapter.cache import clear_cache as clear_cache
    from .adapter.corrections.apply import Corrections as Corrections
    from .adapter.corrections.apply import apply_suggestions as apply_suggestions
    from .adapter.corrections.preview import CorrectionGroup as CorrectionGroup
    from .adapter.corrections.preview import CorrectionPreview as CorrectionPreview
    from .adapter.corrections.preview import preview_corrections as preview_corrections
    from .adapter.corrections.revert import Reverted as Reverted
    from .adapter.corrections.revert import revert_suggestions as revert_suggestions
    from .adapter.exports.export import export_review as export_review
    from .adapter.exports.gallery import save_gallery as save_gallery
    from .adapter.injection.evaluation import Evaluation as Evaluation
    from .adapter.injection.evaluation import evaluate_ranking as evaluate_ranking
    from .adapter.injection.inject import inject_faults as inject_faults
    from .adapter.injection.inject import revert_faults as revert_faults
    from .adapter.injection.quality import estimate_quality as estimate_quality
    from .adapter.injection.reports import quality_reports as quality_reports
    from .adapter.results.base import DFauLoResults as DFauLoResults
    from .adapter.review.audit import audit_view as audit_view
    from .adapter.review.carrying import carry_verdicts as carry_verdicts
    from .adapter.review.explaining import Explanation as Explanation
    from .adapter.review.explaining import (
        explain_suspiciousness as explain_suspiciousness,
    )
    from .adapter.review.learning import update_suspiciousness as update_suspiciousness
    from .adapter.review.status import ReviewStatus as ReviewStatus
    from .adapter.review.status import review_status as review_status
    from .adapter.review.tagging import tag_suspicious as tag_suspicious
    from .adapter.review.verdicts import record_verdicts as record_verdicts
    from .adapter.review.views import suspicious_view as suspicious_view
    from .adapter.runs.repair import Repair as Repair
    from .adapter.runs.repair import repair as repair
    from .adapter.scoring.compute import (
        compute_suspiciousness as compute_suspiciousness,
    )
    from .config import Preprocessing as Preprocessing
    from .config import Settings as Settings
    from .errors import Cancelled as Cancelled
    from .errors import ClusterError as ClusterError
    from .errors import DFauLoError as DFauLoError
    from .errors import InputError as InputError
    from .errors import RunError as RunError
    from .errors import WeightsError as WeightsError

_NAME = "fiftyone_dfaulo"

_HOMES = {
    "CacheInfo": "adapter.cache",
    "CachedRun": "adapter.cache",
    "Cancelled": "errors",
    "ClusterError": "errors",
    "CorrectionGroup": "adapter.corrections.preview",
    "CorrectionPreview": "adapter.corrections.preview",
    "Corrections": "adapter.corrections.apply",
    "DFauLoError": "errors",
    "DFauLoResults": "adapter.results.base",
    "Evaluation": "adapter.injection.evaluation",
    "Explanation": "adapter.review.explaining",
    "InputError": "errors",
    "Preprocessing": "config",
    "Reverted": "adapter.corrections.revert",
    "Repair": "adapter.runs.repair",
    "ReviewStatus": "adapter.review.status",
    "RunError": "errors",
    "Settings": "config",
    "WeightsError": "errors",
    "apply_suggestions": "adapter.corrections.apply",
    "audit_view": "adapter.review.audit",
    "cache_info": "adapter.cache",
    "carry_verdicts": "adapter.review.carrying",
    "clear_cache": "adapter.cache",
    "compute_suspiciousness": "adapter.scoring.compute",
    "estimate_quality": "adapter.injection.quality",
    "evaluate_ranking": "adapter.injection.evaluation",
    "explain_suspiciousness": "adapter.review.explaining",
    "export_review": "adapter.exports.export",
    "inject_faults": "adapter.injection.inject",
    "preview_corrections": "adapter.corrections.preview",
    "quality_reports": "adapter.injection.reports",
    "record_verdicts": "adapter.review.verdicts",
    "repair": "adapter.runs.repair",
    "revert_faults": "adapter.injection.inject",
    "revert_suggestions": "adapter.corrections.revert",
    "review_status": "adapter.review.status",
    "save_gallery": "adapter.exports.gallery",
    "suspicious_view": "adapter.review.views",
    "tag_suspicious": "adapter.review.tagging",
    "update_suspiciousness": "adapter.review.learning",
}
"""The public names, and the module that each is imported from on first use."""

__all__ = ["__version__", *_HOMES]

_NOT_INSTALLED = (
    "fiftyone-dfaulo runs from %s and is not installed with pip. Where FiftyOne's "
    "plugins have not been loaded, Python cannot import fiftyone_dfaulo, and deleting "
    "or renaming one of its brain runs leaves the run's fields as they are. "
    "`pip install %s` lifts that."
)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{_NAME}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register(plugin: Any) -> None:
    """Registers the operators; FiftyOne calls this when it loads the plugin.

    The installed package is used where there is one. Else it is the one that this
    file is part of, whose folder is then put at the end of ``sys.path``.

    Args:
        plugin: FiftyOne's ``PluginContext``.
    """
    spec = importlib.util.find_spec(_NAME)
    if spec is None or spec.origin is None:
        folder = Path(__file__).resolve().parents[1]
        sys.path.append(str(folder))
        logging.getLogger(__name__).info(_NOT_INSTALLED, folder, folder)
    importlib.import_module(f"{_NAME}.plugin").register(plugin)
