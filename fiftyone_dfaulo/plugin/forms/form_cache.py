"""What a form reads from the database, read once for each open form."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

_FORMS = 16
_kept: OrderedDict[Hashable, dict[Hashable, Any]] = OrderedDict()

T = TypeVar("T")


def cached(ctx: Any, what: Hashable, read: Callable[[], T]) -> T:
    """What ``read`` returned when this open form asked for it first.

    While a form is open, neither the view nor the selection behind it can change, but
    the target among them can: each target is remembered for itself. Executing is no
    open form, so that what is executed is always checked afresh.

    Args:
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.
        what: name of the thing that is read.
        read: reads it.
    """
    if ctx.prompt_id is None:
        return read()
    form = (ctx.prompt_id, ctx.request_params.get("view_target"))
    things = _kept.setdefault(form, {})
    _kept.move_to_end(form)
    if what not in things:
        things[what] = read()
    while len(_kept) > _FORMS:
        _kept.popitem(last=False)
    return things[what]
