"""How well faults of boxes are found, beside FiftyOne's mistakenness and ObjectLab.

::

    python examples/boxes.py [--voc FOLDER ...] [--skills 1 2] [--seeds 3] [--together]
        [--only-ours] [--trained] [--no-digits] [--keep FOLDER]

Scikit-learn's digits are pasted on canvases, and folders in VOC's format are read. A
simulated detector of some skill predicts the true boxes. Then each kind of fault is
planted in 5 % of the objects, alone and all together. All methods get the same
predictions. With ``--trained`` none are given to ours, which trains a detector on the
faulty boxes; what that sees, out of sample, is given to the others, and ``boxes`` are
ours without a detector. Printed is the average precision, the mean of the seeds, and
how many faults of each kind are estimated. With ``--keep``, what detectors and networks
see is kept there, and a second call does the scoring alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
from bench.box_datasets import FIELD, PREDICTED, add_samples, make_predictions
from bench.boxes import (
    KINDS,
    Objects,
    Predictions,
    detect,
    objectlab,
    plant,
    read_voc,
    right_objects,
)
from bench.canvases import paste
from bench.cases import read_digits
from bench.kept import keeping
from bench.trained_boxes import NOTHING, as_predictions, watching
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import compute_suspiciousness

RATE = 0.05
METHODS = ("ours", "mistakenness", "ObjectLab")
TRAINED = (*METHODS, "boxes")
OURS = {"class": 0, "misplaced": 1, "spurious": 2, "doubled": 3}
"""Kind to its column of the results' signals."""

Scores = dict[str, np.ndarray]
"""Kind, or ``"any"``, to scores: of the predictions if missing, else of the objects."""


def main() -> None:
    """Runs the benchmark and prints its tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--voc", type=Path, nargs="*", default=[])
    parser.add_argument("--skills", type=float, nargs="*", default=[1.0, 2.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--together", action="store_true", help="not each kind alone")
    parser.add_argument("--trained", action="store_true", help="no simulated detector")
    parser.add_argument("--no-digits", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--keep", type=Path, help="where what was trained is kept")
    options = parser.parse_args()
    methods = TRAINED if options.trained else METHODS
    print("| case | skill | planted | fault |", " | ".join(methods), "|")
    print("|---|---|---|---|" + "---|" * len(methods))
    alone = [] if options.together else [(kind,) for kind in KINDS]
    with tempfile.TemporaryDirectory() as folder:
        digits = {} if options.no_digits else {"digits": canvases(Path(folder) / "c")}
        cases = {**digits, **{p.name: read_voc(p) for p in options.voc}}
        for name, true in cases.items():
            for skill in [None] if options.trained else options.skills:
                for kinds in [*alone, KINDS]:
                    run_case(name, true, skill, kinds, options)


def canvases(folder: Path) -> Objects:
    """Scikit-learn's digits pasted on canvases, in a folder that does not exist yet."""
    dataset = paste(read_digits(), folder)
    parts = ("bounding_box", "label")
    lists = dataset.values([f"{FIELD}.detections.{part}" for part in parts])
    paths = dataset.values("filepath")
    dataset.delete()
    images = np.repeat(np.arange(len(paths)), [len(some) for some in lists[0]])
    boxes, labels = ([one for some in part for one in some] for part in lists)
    names = sorted(set(labels))
    numbers = np.array([names.index(label) for label in labels])
    return right_objects(paths, images, np.array(boxes), numbers, names)


def run_case(
    name: str,
    true: Objects,
    skill: float | None,
    kinds: tuple[str, ...],
    options: argparse.Namespace,
) -> None:
    """Plants, scores with every method, and prints rows of the table."""
    figures: dict[tuple[str, str], list[float]] = {}
    estimates: list[dict[str, int]] = []
    by_boxes: list[dict[str, int]] = []
    seconds: list[float] = []
    overlooked: list[int] = []
    for seed in range(options.first, options.first + options.seeds):
        rng = np.random.default_rng(seed)
        found = NOTHING if skill is None else detect(true, rng, skill=skill)
        given, missing = plant(true, rng, kinds, RATE)
        alone = len(kinds) == 1
        dataset = fo.Dataset()
        add_samples(dataset, given, found)
        start = time.process_time()
        file = f"{name}-{'-'.join(kinds)}-{seed}.npz"
        keep = options.keep / file if options.keep and skill is None else None
        with keeping(keep), watching() as seen:
            results = compute_suspiciousness(
                dataset,
                FIELD,
                predictions="auto" if skill is None else PREDICTED,
                progress=False,
            )
        seconds.append(time.process_time() - start)
        if skill is None:
            found = as_predictions(seen[0], true)
            dataset.set_values(PREDICTED, make_predictions(given, found))
        gone = (found.of >= 0) & missing[found.of]
        overlooked.append(int(missing.sum() - gone.sum()))
        estimates.append(results.estimate_by_kind())
        scores = {"ours": ours(dataset, results, given, found, alone)}
        if skill is None:
            with keeping(keep):
                results = compute_suspiciousness(
                    dataset,
                    FIELD,
                    predictions="look",
                    brain_key="alone",
                    progress=False,
                )
            scores["boxes"] = ours(dataset, results, given, found, alone)
            del scores["boxes"]["missing"]
            by_boxes.append(results.estimate_by_kind())
        if not options.only_ours:
            scores["mistakenness"] = mistakenness(dataset, given, found)
            scores["ObjectLab"] = with_any(objectlab(given, found))
        dataset.delete()
        for kind in [*kinds, *([] if alone else ["any"])]:
            for method, values in scores.items():
                if kind not in values or (kind == "missing" and not gone.any()):
                    continue
                figure = precision(values, kind, given, gone)
                figures.setdefault((kind, method), []).append(figure)
    for kind in dict.fromkeys(kind for kind, _ in figures):
        methods = TRAINED if skill is None else METHODS
        each = [figures.get((kind, method)) for method in methods]
        means = ["" if some is None else f"{np.mean(some):.3f}" for some in each]
        planted = kinds[0] if len(kinds) == 1 else "all"
        said = "trained" if skill is None else f"{skill:g}"
        print(f"| {name} | {said} | {planted} | {kind} |", " | ".join(means), "|")
    print(
        f"<!-- {round(RATE * len(true.labels))} of each kind; estimated {estimates}; "
        f"by boxes alone {by_boxes}; missing ones that no prediction is of "
        f"{overlooked}; CPU seconds {[round(one, 1) for one in seconds]} -->",
        flush=True,
    )


def precision(scores: Scores, kind: str, given: Objects, gone: np.ndarray) -> float:
    """Average precision. Of two boxes around one thing, either may be found."""
    if kind == "missing":
        return float(average_precision_score(gone, scores[kind]))
    faults = given.kinds >= 0 if kind == "any" else given.kinds == KINDS.index(kind)
    values, kept = scores[kind].astype(float), np.ones(len(faults), bool)
    for row in np.flatnonzero(given.kinds == KINDS.index("doubled")):
        twin = given.twin[row]
        if given.kinds[twin] < 0:
            values[row] = max(values[row], values[twin])
            kept[twin] = False
    return float(average_precision_score(faults[kept], values[kept]))


def ours(
    dataset: Any, results: Any, given: Objects, found: Predictions, alone: bool
) -> Scores:
    """The suspiciousness; where several kinds are planted, the kind's for each."""
    rows = dict(_rows(dataset, FIELD, "id"))
    # the last items are objects that look missing
    order = np.array([rows[one] for one in results.ids if one in rows])
    scores = {"any": np.zeros(len(given.labels))}
    scores["any"][order] = results.suspiciousness[: len(order)]
    for kind, column in OURS.items():
        scores[kind] = np.zeros(len(given.labels))
        scores[kind][order] = results.signals[: len(order), column]
        if alone:
            scores[kind] = scores["any"]
    place = dict(_rows(dataset, PREDICTED, "bounding_box"))
    scores["missing"] = np.zeros(len(found.labels))
    for one in results.missing:
        scores["missing"][place[tuple(one.box)]] = one.probability
    return scores


def mistakenness(dataset: Any, given: Objects, found: Predictions) -> Scores:
    """FiftyOne's, by what it writes to objects and predictions."""
    fob.compute_mistakenness(dataset, PREDICTED, label_field=FIELD)
    scores: Scores = {}
    for kind, name in (
        ("class", "mistakenness"),
        ("misplaced", "mistakenness_loc"),
        ("spurious", "possible_spurious"),
    ):
        scores[kind] = np.zeros(len(given.labels))
        for value, row in _rows(dataset, FIELD, name):
            scores[kind][row] = float(value or 0)
    scores["doubled"] = scores["spurious"]
    scores["missing"] = np.zeros(len(found.labels))
    for value, row in _rows(dataset, PREDICTED, "possible_missing"):
        scores["missing"][row] = found.confidence[row] * bool(value)
    parts = (scores["class"], scores["misplaced"], scores["spurious"])
    return {**scores, "any": np.max(parts, axis=0)}


def with_any(scores: Scores) -> Scores:
    """ObjectLab's scores: what is badly located may be spurious, or there twice."""
    place = scores["misplaced"]
    either = np.maximum(scores["class"], place)
    return {**scores, "spurious": place, "doubled": place, "any": either}


def _rows(dataset: Any, field: str, name: str) -> list[tuple[Any, int]]:
    """An attribute of objects, and their row."""
    pairs = []
    for some in dataset.values(f"{field}.detections"):
        for one in some or ():
            value = (
                one.id if name == "id" else one.get_field(name) if name in one else None
            )
            pairs.append((tuple(value) if isinstance(value, list) else value, one.row))
    return pairs


if __name__ == "__main__":
    main()
