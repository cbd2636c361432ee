"""What the panel shows of a run, read once for the many events of one click.

The App tells a panel of one change of the view several times at once. Each is answered
with what was read last, as long as nothing seems to have been written since.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.kept import EXPIRY, fingerprint
from fiftyone_dfaulo.plugin.panel.facts import read_facts

_RUNS = 8


class _Kept:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.began = float("-inf")
        self.fingerprint: tuple[Any, ...] = ()
        self.facts: dict[str, Any] = {}


_lock = threading.Lock()
_kept: OrderedDict[Hashable, _Kept] = OrderedDict()


def recent_facts(
    review: ReviewSession, batch_size: int, *, fresh: bool = False
) -> dict[str, Any]:
    """As :func:`.facts.read_facts`, if need be.

    Args:
        review: the run, opened for this request.
        batch_size: as of :func:`.facts.read_facts`.
        fresh: whether to take only what is read after this call.

    Raises:
        DFauLoError: as there.
    """
    asked = time.monotonic()
    kept = _entry((str(review.dataset._doc.id), review.key, batch_size))
    with kept.lock:  # those who wait here find what the first of them has read
        seen, now = fingerprint(review), time.monotonic()
        same = seen == kept.fingerprint and now - kept.began < EXPIRY and not fresh
        if not (same or kept.began >= asked):
            kept.began, kept.fingerprint = now, ()
            kept.facts = read_facts(review, batch_size)
            kept.fingerprint = seen
        return dict(kept.facts)


def _entry(key: Hashable) -> _Kept:
    with _lock:
        kept = _kept.setdefault(key, _Kept())
        _kept.move_to_end(key)
        while len(_kept) > _RUNS:
            _kept.popitem(last=False)
        return kept
