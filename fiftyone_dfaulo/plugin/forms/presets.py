"""What forms open with: which samples, and which key.

Nothing that is preset replaces a run, or makes a run of the few samples that are on the
screen for a review.
"""

from __future__ import annotations

from itertools import chain, count

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.runs.keys import is_free
from fiftyone_dfaulo.adapter.runs.lookup import fields_of_runs
from fiftyone_dfaulo.plugin.forms.form_cache import cached
from fiftyone_dfaulo.plugin.host import Context, chosen_target

DEFAULT_KEY = "dfaulo"


def samples(ctx: Context) -> Samples:
    """What the form is about: the chosen target, else the preset one.

    From Python, what is passed is what is meant.
    """
    if ctx.prompt_id is None or chosen_target(ctx):
        return ctx.target_view()
    preset = preset_target(ctx)
    if preset == "DATASET":
        return ctx.dataset
    return ctx.view._base_view if preset == "BASE_VIEW" else ctx.view


def preset_target(ctx: Context) -> str | None:
    """The view target that a form opens with; None is the view in the grid.

    A selection is for marking, and a view that this plugin shows is for reviewing:
    scoring these alone would replace a whole ranking by one of a few samples.
    """
    if ctx.prompt_id is None:
        return None
    return cached(ctx, "preset target", lambda: _preset_target(ctx))


def _preset_target(ctx: Context) -> str:
    view = ctx.view
    stages = str(view._serialize(include_uuids=False))
    ordered = any(isinstance(one, fo.Select) and one.ordered for one in view._stages)
    paths = fields_of_runs(ctx.dataset) | fields_of_runs(ctx.dataset, frames=True)
    names = {path.rpartition(".")[2] for path in paths}
    if ordered or any(name in stages for name in names):
        return "BASE_VIEW" if view._is_generated else "DATASET"
    whole = view._base_view if view._is_generated else ctx.dataset.view()
    if view != whole:
        return "CURRENT_VIEW"
    return "BASE_VIEW" if view._is_generated else "DATASET"


def preset_key(ctx: Context) -> str:
    """The key that a form opens with, which replaces no run; of Python the usual one.

    The first of ``dfaulo``, ``dfaulo_2`` and so on that can be used.
    """
    if ctx.prompt_id is None:
        return DEFAULT_KEY

    def find() -> str:
        others = (f"{DEFAULT_KEY}_{n}" for n in count(2))
        free = (
            key
            for key in chain([DEFAULT_KEY], others)
            if not ctx.dataset.has_brain_run(key) and is_free(ctx.dataset, key)
        )
        return next(free)

    return cached(ctx, "free key", find)
