"""The progress bar of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import fiftyone.core.utils as fou

from fiftyone_dfaulo.engine.progress import Report


@contextmanager
def progress_bar(
    progress: bool | Callable[[fou.ProgressBar], object] | None,
) -> Iterator[Report]:
    """Shows a bar, moved by what it yields: once for each per cent and each stage.

    Args:
        progress: as FiftyOne's functions take it.
    """
    last: tuple[str, int] = ("", -1)

    def report(stage: str, fraction: float) -> None:
        nonlocal last
        state = (stage, int(100 * fraction))
        if state != last:
            last = state
            bar.set_iteration(state[1], suffix=stage)

    with fou.ProgressBar(
        total=100,
        progress=progress,
        iters_str="%",
        show_iteration=False,
        show_iter_rate=False,
    ) as bar:
        yield report
