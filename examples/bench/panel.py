"""How long the panel takes to open, and for each click, on a large dataset.

    PYTHONPATH=examples python -m bench.panel [--counts 100000] [--kind objects]

The clicks are answered as the App's server answers them; what the browser needs to draw
comes on top. How long a processor was busy, for this process and the database, tells
more than the clock on a machine that does other work as well.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as foo
import numpy as np
import psutil
from fiftyone.operators.executor import ExecutionContext, Executor

import fiftyone_dfaulo as dfaulo
from bench.scale import large_run
from fiftyone_dfaulo.plugin.operators.corrections import ApplySuggestions
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel

CLASSES = 10
A_SAMPLE = 10
"""Objects in a sample."""


@contextmanager
def many_objects(count: int) -> Iterator[tuple[Any, np.ndarray]]:
    """A dataset with so many objects and a run on them, and which of them are faults.

    It is deleted in the end. Their embeddings are clusters that overlap; one in twenty
    has another class.
    """
    rng = np.random.default_rng(0)
    true = rng.integers(0, CLASSES, count)
    labels = np.where(rng.random(count) < 0.05, rng.integers(0, CLASSES, count), true)
    vectors = rng.normal(size=(count, 16)) + 3 * np.eye(16)[true]
    dataset = fo.Dataset()
    try:
        dataset.add_samples(
            [
                fo.Sample(
                    f"{start}.png",
                    boxes=fo.Detections(
                        detections=[
                            fo.Detection(label=f"{k}", bounding_box=[0, 0, 0.1, 0.1])
                            for k in labels[start : start + A_SAMPLE]
                        ]
                    ),
                )
                for start in range(0, count, A_SAMPLE)
            ],
            progress=False,
        )
        dfaulo.compute_suspiciousness(
            dataset, "boxes", embeddings=vectors.astype(np.float32), progress=False
        )
        yield dataset, labels != true
    finally:
        dataset.delete()


def busy() -> float:
    """Seconds that this process and the database have kept a processor busy so far."""
    database = foo.get_db_conn().client.admin.command("serverStatus")["pid"]
    times = [psutil.Process(pid).cpu_times() for pid in (None, database)]
    return sum(one.user + one.system for one in times)


class Panel:
    """The panel as the App holds it, with a clock.

    Args:
        dataset: the dataset.
        wrong: ids of the items that are faults.
    """

    def __init__(self, dataset: Any, wrong: set[str]) -> None:
        self.dataset, self.view, self.wrong = dataset, dataset.view(), wrong
        self.state: dict[str, Any] = {}

    def click(
        self, name: str, event: str, *, select: bool = False, **params: Any
    ) -> None:
        """An event; prints how long the answer took.

        Args:
            name: what is printed.
            event: the method of the panel.
            select: whether the faults in the grid are selected.
            **params: of the event.
        """
        faults = self.wrong.intersection(self.view.values("id")) if select else ()
        selected = [{"id": i, "type": "default"} for i in faults]
        given = {"panel_id": "p", "panel_state": self.state, **params}
        start, before = time.perf_counter(), busy()
        ctx = self._context(given, selected)
        getattr(ReviewPanel(), event)(ctx)
        shown = ReviewPanel().render(ctx).to_json()
        seconds, work = time.perf_counter() - start, busy() - before
        self.state = json.loads(json.dumps(ctx.panel_state))
        asked = {r.operator_uri: r.params for r in ctx.executor._requests}
        view = asked.get("set_view", {})
        if "name" in view:
            self.view = self.dataset.load_saved_view(view["name"])
        elif "view" in view:
            self.view = fo.DatasetView._build(self.dataset, view["view"])
        said = asked.get("notify", {}).get("message", "")
        print(f"{name}: {seconds:.2f} s, {work:.2f} s busy  {said}", flush=True)
        assert "problem" not in shown["type"]["properties"], self.state["facts"]

    def correct(self) -> None:
        """Opens the form that corrects, and executes it."""
        for name in ("open Correct", "execute it"):
            start, before = time.perf_counter(), busy()
            ctx, operator = self._context({}, []), ApplySuggestions()
            if name == "open Correct":
                operator.resolve_input(ctx)
            else:
                for _ in operator.execute(ctx) or ():
                    pass
            seconds, work = time.perf_counter() - start, busy() - before
            print(f"{name}: {seconds:.2f} s, {work:.2f} s busy", flush=True)

    def _context(self, params: Any, selected: Any) -> ExecutionContext:
        """A request as the App sends it."""
        return ExecutionContext(
            request_params={
                "dataset_name": self.dataset.name,
                "view": self.view._serialize(),
                "params": params,
                "selected_samples": selected,
            },
            executor=Executor(),
        )


def go_through(dataset: Any, wrong: set[str]) -> None:
    """Opens the panel and presses what it has."""
    panel = Panel(dataset, wrong)
    panel.click("open the panel", "on_load")
    panel.click("open it again", "on_load")
    panel.click("next batch", "next_batch")
    panel.click("the grid has changed", "on_change_view")
    for _ in range(4):
        mark = "mark what is wrong, the next one follows"
        panel.click(mark, "rest_is_correct", select=True, count=50)
        panel.click("the grid has changed", "on_change_view")
    panel.click("undo", "undo_marking")
    panel.correct()
    panel.click("a row of confused classes", "on_pair", row=0)
    panel.click("next batch of these", "next_batch")
    panel.click("a row of the classes", "on_class", row=0)
    panel.click("show all", "show_all")
    panel.click("draw an audit", "audit")


def _faults(ids: list[str], faults: np.ndarray) -> set[str]:
    return {str(one) for one, is_fault in zip(ids, faults) if is_fault}


def main() -> None:
    """Runs for each size, and both kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000])
    parser.add_argument(
        "--kind", choices=("samples", "objects", "both"), default="both"
    )
    options = parser.parse_args()
    for count in options.counts:
        if options.kind != "objects":
            print(f"{count:,} samples", flush=True)
            with large_run(count, CLASSES) as (dataset, faults):
                go_through(dataset, _faults(dataset.values("id"), faults))
        if options.kind != "samples":
            print(f"{count:,} objects", flush=True)
            with many_objects(count) as (dataset, faults):
                ids = dataset.values("boxes.detections.id", unwind=True)
                go_through(dataset, _faults(ids, faults))


if __name__ == "__main__":
    main()
