"""A run on many samples in MongoDB: what each stage takes, then clicks in the panel.

The samples' documents are written to the database as they are, with labels of which one
in twenty is wrong, and no images; embeddings are an array. What is timed is the call:
reading labels, scoring, writing fields and index. Beside it, plain bulk updates by
pymongo of the same fields, on some samples, acknowledged when they are on the disk and
when they are in memory.

    PYTHONPATH=examples python -m bench.stages [--count 1000000] [--classes 100]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as foo
import numpy as np
import psutil
from bson import ObjectId
from pymongo import UpdateOne
from pymongo.write_concern import WriteConcern

import fiftyone_dfaulo as dfaulo
from bench.growth import draw
from bench.panel import busy, go_through

BATCH = 5_000  # documents in a request
PLAIN = 100_000  # samples that plain updates are timed on


@contextmanager
def many_samples(labels: np.ndarray) -> Iterator[Any]:
    """A dataset of samples with these classes, and no images; then deleted."""
    dataset = fo.Dataset()
    try:
        first = fo.Classification(label=f"{labels[0]:03}")
        dataset.add_sample(fo.Sample("/nowhere/0.png", ground_truth=first))
        documents = dataset._sample_collection
        like = documents.find_one()
        for start in range(1, len(labels), BATCH):
            documents.insert_many(
                [
                    {
                        **like,
                        "_id": ObjectId(),
                        "filepath": f"/nowhere/{start + n}.png",
                        "ground_truth": {
                            **like["ground_truth"],
                            "_id": ObjectId(),
                            "label": f"{label:03}",
                        },
                    }
                    for n, label in enumerate(labels[start : start + BATCH].tolist())
                ]
            )
        dataset.reload()
        yield dataset
    finally:
        dataset.delete()


def memory() -> tuple[float, float]:
    """GiB that this process and the database have."""
    database = foo.get_db_conn().client.admin.command("serverStatus")["pid"]
    found = [psutil.Process(pid).memory_info().rss / 2**30 for pid in (None, database)]
    return found[0], found[1]


def time_plain(dataset: Any, results: Any) -> None:
    """Plain updates of the fields of a run, in other fields."""
    ids = [ObjectId(one) for one in results.ids[:PLAIN]]
    values = zip(
        ids,
        results.suspiciousness[:PLAIN].tolist(),
        results.confidence[:PLAIN].tolist(),
    )
    updates = [
        UpdateOne({"_id": one}, {"$set": {"a": a, "b": b, "c": "000", "d": ["a"]}})
        for one, a, b in values
    ]
    for name, journalled in (("on the disk", True), ("in memory", False)):
        documents = dataset._sample_collection.with_options(
            write_concern=WriteConcern(j=journalled)
        )
        start = time.perf_counter()
        for n in range(0, len(updates), BATCH):
            documents.bulk_write(updates[n : n + BATCH], ordered=False)
        seconds = time.perf_counter() - start
        print(f"pymongo alone, {len(updates):,} updates, {name}: {seconds:.1f} s")
        undo = {"$unset": dict.fromkeys("abcd", "")}
        documents.update_many({}, undo)


def measure(count: int, width: int, num_classes: int) -> None:
    """Prints a line for each stage and each click."""
    embeddings, labels, faults = draw(count, width, num_classes)
    start = time.perf_counter()
    with many_samples(labels) as dataset:
        print(f"{count:,} documents: {time.perf_counter() - start:.0f} s", flush=True)
        start, before = time.perf_counter(), busy()
        results = dfaulo.compute_suspiciousness(
            dataset, embeddings=embeddings, progress=False, cache="none"
        )
        seconds, work = time.perf_counter() - start, busy() - before
        for stage, taken in results.seconds.items():
            print(f"{stage}: {taken:.1f} s")
        own, database = memory()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"the run: {seconds:.1f} s, {work:.0f} s busy, with the database; "
            f"{own:.1f} GiB now, {most:.1f} at most; the database {database:.1f}",
            flush=True,
        )
        del embeddings
        time_plain(dataset, results)
        wrong = {one for one, fault in zip(results.ids, faults) if fault}
        del results
        go_through(dataset, wrong)


def main() -> None:
    """Runs once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--classes", type=int, default=100)
    options = parser.parse_args()
    measure(options.count, options.width, options.classes)


if __name__ == "__main__":
    main()
