"""What the plugin adds to FiftyOne, and its registration."""

from __future__ import annotations

import logging
from functools import cache

from fiftyone.plugins.context import PluginContext

from fiftyone_dfaulo._version import __version__
from fiftyone_dfaulo.plugin.operators.cancelling import CancelRun
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from fiftyone_dfaulo.plugin.operators.corrections import (
    ApplySuggestions,
    LookAtCorrections,
    RevertSuggestions,
)
from fiftyone_dfaulo.plugin.operators.finish import ExportReview, TagSuspicious
from fiftyone_dfaulo.plugin.operators.injection import (
    EvaluateRanking,
    InjectFaults,
    RevertFaults,
)
from fiftyone_dfaulo.plugin.operators.keys import MarkByKey
from fiftyone_dfaulo.plugin.operators.quality import EstimateQuality
from fiftyone_dfaulo.plugin.operators.repair import RepairRuns
from fiftyone_dfaulo.plugin.operators.review import (
    MarkCorrect,
    MarkFaulty,
    OpenReview,
    RecordVerdicts,
    UpdateSuspiciousness,
)
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel

logger = logging.getLogger(__name__)

OPERATORS = [
    ComputeSuspiciousness,
    OpenReview,
    RecordVerdicts,
    MarkFaulty,
    MarkCorrect,
    MarkByKey,
    UpdateSuspiciousness,
    TagSuspicious,
    ApplySuggestions,
    LookAtCorrections,
    RevertSuggestions,
    ExportReview,
    InjectFaults,
    RevertFaults,
    EvaluateRanking,
    EstimateQuality,
    RepairRuns,
    CancelRun,
]
PANELS = [ReviewPanel]
"""The classes; ``fiftyone.yml`` lists the names of the same ones, in this order."""


def register(plugin: PluginContext) -> None:
    """Registers every operator and panel with FiftyOne.

    Args:
        plugin: what FiftyOne gives a plugin to register with.
    """
    definition = getattr(plugin, "plugin_definition", None)
    if definition is not None:
        _compare_versions(definition.version, definition.directory)
    for cls in [*OPERATORS, *PANELS]:
        plugin.register(cls)


@cache  # FiftyOne loads its plugins again for every operator it runs
def _compare_versions(manifest: str, folder: str) -> None:
    if manifest != __version__:
        logger.warning(
            "The plugin in %s says that it is version %s, but the fiftyone-dfaulo "
            "that Python imports is %s and is the one used; operators that the "
            "folder's fiftyone.yml does not list are missing from the App. Run "
            "`fiftyone-dfaulo register`, or update a downloaded copy with "
            "`fiftyone plugins download URL --overwrite`",
            folder,
            manifest,
            __version__,
        )
