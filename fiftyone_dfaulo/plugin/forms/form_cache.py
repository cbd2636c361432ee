"""A cache of what forms read from the database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from fiftyone_dfaulo.plugin.host import Context, chosen_target

_FORMS = 16
"""How many forms are kept; the oldest goes first."""

_cache: OrderedDict[Hashable, dict[Hashable, Any]] = OrderedDict()
"""Open form, with its view target, to what was read for it."""

T = TypeVar("T")


def cached(ctx: Context, what: Hashable, read: Callable[[], T]) -> T:
    """The value of ``read()``, read once for each open form and view target.

    While a form is open, the view and the selection behind it cannot change, but the
    view target can. An operator that executes has no open form: it reads everything
    anew, so that its checks are up to date.

    Args:
        ctx: the operator's context.
        what: names the value.
        read: reads it.
    """
    if ctx.prompt_id is None:
        return read()
    form = (ctx.prompt_id, chosen_target(ctx))
    values = _cache.setdefault(form, {})
    _cache.move_to_end(form)
    if what not in values:
        values[what] = read()
    while len(_cache) > _FORMS:
        _cache.popitem(last=False)
    value: T = values[what]
    return value
