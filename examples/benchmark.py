"""How well faults are found, how long each stage takes, and how much memory.

    python examples/benchmark.py compare [--npz FILE[:LABELS[:TRUTH]]] [--kinds pair]
    python examples/benchmark.py review [--npz FILE[:LABELS[:TRUTH]]] [--paper 1]
    python examples/benchmark.py images [--npz FILE[:LABELS[:TRUTH]]] [--method paper]
    python examples/benchmark.py objects [--npz FILE[:LABELS[:TRUTH]]]
    python examples/benchmark.py ways [--npz FILE[:LABELS[:TRUTH]]] [--limit 5000]
    python examples/benchmark.py embeddings [--counts 10000 100000]
    python examples/benchmark.py review-scale [--counts 100000]
    python examples/benchmark.py busy [--npz FILE[:LABELS[:TRUTH]]] [--limit 600]

``compare`` plants faults of several kinds and has every method find them: ours, the
paper's, cleanlab's, FiftyOne's own and more, all on the outputs of one network for each
case and seed. It writes tables, a JSON file and plots into ``--results``, and says how
true our probabilities, numbers, suggestions and reasons are.

``review`` simulates reviewers: what their verdicts do to the ranking of the unchecked,
and to the estimated number of faults; ``--methods`` gives others the same verdicts.

``images`` writes the images out as files, plants random wrong labels, and runs
:func:`fiftyone_dfaulo.compute_suspiciousness` on a FiftyOne dataset of them, once for
each seed; ``objects`` does so with the images pasted on canvases, as objects with
boxes. ``ways`` brings one trained network in each way that there is, and finds the
same faults through Python and through the operator. ``embeddings`` scores synthetic
embeddings of growing number, and ``review-scale`` times each step of a review of them.
``busy`` times every way to score with all cores free and with one kept busy. No run
takes what an earlier one has kept.

The images are scikit-learn's digits, or those of ``--npz`` (``images`` (N, H, W) or
(N, H, W, 3), uint8, and labels (N,)), ``--folder`` (a folder for each class) or
``--dataset`` (a FiftyOne dataset, or one of its zoo). Where true labels are named in an
npz file, nothing is planted: a fault is a label that differs from them. What trained
networks put out is kept in ``--outputs``.

``make bench ARGS="..."`` runs it with a FiftyOne of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from bench import (
    busy,
    calibration,
    canvases,
    cases,
    compare,
    outputs,
    review,
    scale,
    ways_in,
)
from bench.cases import Case
from bench.methods import METHODS, OURS, Subject, our_scores, papers_scores
from PIL import Image
from sklearn.metrics import average_precision_score

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.engine.scores import Scores

BASE_STAGES = ("Training the network",)
OWN_STAGES = ("Scoring with mutants",)


def read_sources(options: argparse.Namespace) -> list[Case]:
    """The images asked for, with faults as they are or none."""
    found = [read_npz(spec) for spec in options.npz]
    found += [cases.read_folder(path) for path in options.folder]
    found += [cases.read_dataset(*name.split(":")) for name in options.dataset]
    return [cases.thinned(c, options.limit) for c in found or [cases.read_digits()]]


def read_npz(spec: str) -> Case:
    """``FILE``, ``FILE:LABELS`` or ``FILE:LABELS:TRUTH``."""
    path, *names = spec.split(":")
    return cases.read_npz(Path(path), *names)


def subjects(options: argparse.Namespace) -> Iterator[tuple[str, Subject]]:
    """Every case and seed, with its network's outputs; and the case's name."""

    def load(case: Case, seed: int = 0) -> outputs.Outputs:
        return outputs.load(case, seed, options.outputs)

    for source in read_sources(options):
        if source.faults.any():
            for seed in range(options.seeds):
                yield source.name, Subject(source, load(source, seed), seed)
            continue
        pairs = outputs.confused(source, load)
        for kind in options.kinds:
            for rate in [cases.LEAK] if kind == "pair" else options.rates:
                for seed in range(options.seeds):
                    case = cases.plant(source, kind, rate, seed, pairs)
                    name = f"{source.name}-{kind}-{rate:g}"
                    yield name, Subject(case, load(case, seed), seed)


def run_compare(options: argparse.Namespace) -> None:
    """Measures every method, keeping what is measured as it goes."""
    options.results.mkdir(parents=True, exist_ok=True)
    measurements = []
    truths: dict[str, list[calibration.Truth]] = defaultdict(list)
    for name, subject in subjects(options):
        if OURS in options.methods:
            truths[name].append(calibration.look(subject, our_scores(subject)))
        for method in options.methods:
            measurements.append(compare.measure(name, method, subject))
            figures = measurements[-1].figures
            print(f"{name} {subject.seed} {method}: AP {figures['AP']:.3f}", flush=True)
        compare.write_json(measurements, options.results / "compare.json")
    table = "\n".join([*compare.tables(measurements), "", *calibration.tables(truths)])
    (options.results / "compare.md").write_text(table + "\n", encoding="utf-8")
    compare.plot(measurements, options.results)
    print(table)


def run_review(options: argparse.Namespace) -> None:
    """Simulates reviewers who are right, and some who are wrong one time in ten."""
    found: dict[tuple[str, float], review.Review] = {}
    rivals: dict[tuple[str, str], list[list[review.State]]] = defaultdict(list)
    for name, subject in subjects(options):
        ways: list[tuple[Scores, review.Update]] = [
            (our_scores(subject), review.learned)
        ]
        if subject.seed < options.paper:
            ways.append((papers_scores(subject), review.as_in_paper))
        for wrong in review.WRONG:
            fresh = review.Review(name, wrong, [], [], [])
            each = found.setdefault((name, wrong), fresh)
            each.faults.append(int(subject.case.faults.sum()))
            for runs, (scores, update) in zip((each.ours, each.papers), ways):
                states = review.simulate(
                    scores, subject.case, update, wrong, subject.seed
                )
                runs.append(states)
        for method in options.methods:
            scores = review.as_rival(METHODS[method](subject), subject)
            rivals[name, method].append(
                review.simulate(scores, subject.case, review.learned, 0.0, subject.seed)
            )
        print(f"{name} {subject.seed}", file=sys.stderr, flush=True)
    print(*review.ranking_table(list(found.values())), "", sep="\n")
    print(*review.estimate_table(list(found.values())), "", sep="\n")
    if rivals:
        print(*review.rivals_table(rivals), sep="\n")


def build_dataset(data: Case, folder: Path) -> Any:
    """Writes the images out as PNG files and makes a dataset of them."""
    samples = []
    for number, image in enumerate(data.images):
        path = folder / f"{number:06d}.png"
        Image.fromarray(image).save(path)
        label = fo.Classification(label=f"{data.labels[number]:03d}")
        samples.append(fo.Sample(filepath=str(path), ground_truth=label))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset


def measure_images(source: Case, options: argparse.Namespace, seed: int) -> float:
    """Runs one seed and prints its line; gives the average precision."""
    data = source
    if not source.faults.any():
        data = cases.plant(source, "random-label", options.rate, seed, [])
    with tempfile.TemporaryDirectory() as folder:
        dataset = build_dataset(data, Path(folder))
        try:
            results = dfaulo.compute_suspiciousness(
                dataset,
                method=options.method,
                epochs=options.epochs,
                seed=seed,
                progress=False,
            )
            position = {sample: n for n, sample in enumerate(dataset.values("id"))}
        finally:
            dataset.delete()
    faults = data.faults[[position[sample] for sample in results.ids]]
    precision = float(average_precision_score(faults, results.suspiciousness))
    own, base = (
        sum(results.seconds.get(stage, 0.0) for stage in stages)
        for stages in (OWN_STAGES, BASE_STAGES)
    )
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in results.seconds.items())
    print(
        f"seed {seed}: AP {precision:.3f}, {results.estimate().count:.0f} faults "
        f"estimated of {faults.sum()}; {times}; scoring is {own / base:.0%} of "
        "training",
        flush=True,
    )
    return precision


def run_ways(options: argparse.Namespace) -> None:
    """Every way in, on the first source."""
    source = read_sources(options)[0]
    if not source.faults.any():
        source = cases.plant(source, "random-label", options.rate, 0, [])
    data = replace(source, images=outputs.prepare(source.images))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = build_dataset(data, folder)
        try:
            brought = ways_in.bring(dataset, data.images, folder, epochs=options.epochs)
            for way, door, precision in ways_in.find(
                dataset, brought, folder, data.faults
            ):
                print(f"{way} | {door} | AP {precision:.3f}", flush=True)
        finally:
            dataset.delete()


def measure_embeddings(count: int, width: int, num_classes: int) -> None:
    """Scores Gaussian classes with 5 % wrong labels and prints a line."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, num_classes, count)
    centres = rng.normal(size=(num_classes, width)).astype(np.float32)
    embeddings = rng.normal(scale=5, size=(count, width)).astype(np.float32)
    embeddings += centres[truth]
    flips = rng.random(count) < 0.05
    moved = truth + rng.integers(1, num_classes, count)
    labels = np.where(flips, moved % num_classes, truth)
    dataset = fo.Dataset()
    try:
        dataset.add_samples(
            [
                fo.Sample(f"{n}.png", ground_truth=fo.Classification(label=f"{k:03d}"))
                for n, k in enumerate(labels)
            ],
            progress=False,
        )
        start = time.perf_counter()
        results = dfaulo.compute_suspiciousness(
            dataset, embeddings=embeddings, progress=False
        )
        seconds = time.perf_counter() - start
    finally:
        dataset.delete()
    precision = average_precision_score(labels != truth, results.suspiciousness)
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in results.seconds.items())
    print(
        f"{count} x {width}, {num_classes} classes: AP {precision:.3f}, "
        f"{seconds:.1f} s in all; {times}; peak memory {peak_gib():.2f} GiB",
        flush=True,
    )


def peak_gib() -> float:
    """The most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)

    sources = argparse.ArgumentParser(add_help=False)
    sources.add_argument("--npz", action="append", default=[])
    sources.add_argument("--folder", action="append", default=[], type=Path)
    sources.add_argument("--dataset", action="append", default=[])
    sources.add_argument("--limit", type=int, help="the most images of each source")
    sources.add_argument("--seeds", type=int, default=3, help="how many")

    planted = argparse.ArgumentParser(add_help=False)
    kinds = cases.KINDS
    planted.add_argument("--kinds", nargs="+", default=kinds, choices=kinds)
    planted.add_argument("--rates", nargs="+", type=float, default=[0.05])
    planted.add_argument("--outputs", type=Path, default=Path(".bench/outputs"))

    comparing = commands.add_parser(
        "compare", parents=[sources, planted], help="every method, on every kind"
    )
    methods = list(METHODS)
    comparing.add_argument("--methods", nargs="+", default=methods, choices=methods)
    comparing.add_argument("--results", type=Path, default=Path(".bench/results"))
    reviewing = commands.add_parser(
        "review", parents=[sources, planted], help="simulated reviewers"
    )
    reviewing.add_argument(
        "--methods", nargs="+", default=[], choices=methods, help="with our update"
    )
    reviewing.add_argument(
        "--paper", type=int, default=0, help="seeds for the paper's method too: slow"
    )
    images = commands.add_parser(
        "images", parents=[sources], help="the whole run, on image files"
    )
    images.add_argument("--rate", type=float, default=0.05, help="share of faults")
    images.add_argument("--method", default="dfaulo", choices=["dfaulo", "paper"])
    images.add_argument("--epochs", type=int, default=dfaulo.Settings.epochs)
    objects = commands.add_parser(
        "objects", parents=[sources], help="the whole run, on objects in images"
    )
    objects.add_argument("--rate", type=float, default=0.05, help="share of faults")
    objects.add_argument("--epochs", type=int, default=dfaulo.Settings.epochs)
    ways = commands.add_parser("ways", parents=[sources], help="every way in")
    ways.add_argument("--rate", type=float, default=0.05, help="share of faults")
    ways.add_argument("--epochs", type=int, default=dfaulo.Settings.epochs)
    beside = commands.add_parser(
        "busy", parents=[sources], help="idle against one busy core"
    )
    beside.add_argument("--runs", type=int, default=3, help="of each, of which least")
    beside.add_argument("--ways", nargs="+", default=[], help="words of their names")
    embeddings = commands.add_parser("embeddings", help="score synthetic embeddings")
    embeddings.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    embeddings.add_argument("--width", type=int, default=512)
    embeddings.add_argument("--classes", type=int, default=100)
    scaling = commands.add_parser("review-scale", help="time the steps of a review")
    scaling.add_argument("--counts", type=int, nargs="+", default=[100_000])
    scaling.add_argument("--classes", type=int, default=10)
    return parser.parse_args(arguments)


def run_images(options: argparse.Namespace) -> None:
    """The whole run, once for each source and seed."""
    for source in read_sources(options):
        found = [measure_images(source, options, n) for n in range(options.seeds)]
        print(
            f"{source.name}: AP {np.mean(found):.3f} (from {min(found):.3f} to "
            f"{max(found):.3f}, {len(found)} seeds); peak memory {peak_gib():.2f} GiB"
        )


def run_objects(options: argparse.Namespace) -> None:
    """The whole run on objects, once for each source and seed."""
    for source in read_sources(options):
        for seed in range(options.seeds):
            measure_objects(source, options, seed)


def measure_objects(source: Case, options: argparse.Namespace, seed: int) -> None:
    """Pastes a source with planted faults on canvases, scores, prints a line."""
    case = cases.plant(source, "random-label", options.rate, seed, [])
    with tempfile.TemporaryDirectory() as folder:
        dataset = canvases.paste(case, Path(folder, "canvases"), seed=seed)
        try:
            results = dfaulo.compute_suspiciousness(
                dataset,
                canvases.FIELD,
                epochs=options.epochs,
                seed=seed,
                progress=False,
            )
            path = f"{canvases.FIELD}.detections.dfaulo_suspiciousness"
            scores = dataset.values(path, unwind=True)
            precision = average_precision_score(canvases.faults(dataset), scores)
            count = len(dataset)
        finally:
            dataset.delete()
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in results.seconds.items())
    print(
        f"{source.name}, seed {seed}: AP {precision:.3f} of {len(scores)} objects in "
        f"{count} images; {times}",
        flush=True,
    )


def run_embeddings(options: argparse.Namespace) -> None:
    """Growing numbers of embeddings."""
    for count in sorted(options.counts):  # peak memory only ever grows
        measure_embeddings(count, options.width, options.classes)


def run_review_scale(options: argparse.Namespace) -> None:
    """The steps of a review, on growing numbers of samples."""
    for count in sorted(options.counts):
        scale.measure(count, options.classes)


def run_busy(options: argparse.Namespace) -> None:
    """Every way to score, idle and with one busy core, on the first source."""
    source = read_sources(options)[0]
    for line in busy.measure(source, build_dataset, options.runs, options.ways):
        print(line, flush=True)


def main() -> None:
    options = read_options()
    os.environ["DFAULO_CACHE_GB"] = "0"
    {
        "compare": run_compare,
        "review": run_review,
        "images": run_images,
        "objects": run_objects,
        "ways": run_ways,
        "embeddings": run_embeddings,
        "review-scale": run_review_scale,
        "busy": run_busy,
    }[options.command](options)


if __name__ == "__main__":
    main()
