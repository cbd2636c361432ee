"""How fast JPEGs of 640 x 480 are decoded, against what the processor's cores can do.

Some photos are drawn; the others are further names (hard links) of the same files, so
that little room on the disk is needed. The product decodes all of them in threads. The
microbenchmark beside it has a process for each core, with Pillow alone: to decode at
the fraction of the size that is enough (``draft``), and to shrink what comes to the
square as well. Both know the files already. Where other programs keep the cores, the
clock tells little; so seconds of processor are told as well.

    PYTHONPATH=examples python -m bench.photos [--images 100000] [--sizes 64 224]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from bench.cluster import draw_photos
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.images.batches import iter_batches

AT_ONCE = 200  # files that a process is given


class Spent(NamedTuple):
    """Seconds by the clock, and of processor in all threads or processes."""

    clock: float
    processor: float


def make_photos(folder: Path, count: int, distinct: int) -> list[str]:
    """So many files, of which only some differ."""
    drawn = draw_photos(folder, min(count, distinct))
    for number in range(len(drawn), count):
        path = folder / f"{number:06}.jpg"
        os.link(drawn[number % len(drawn)], path)
    return [str(folder / f"{number:06}.jpg") for number in range(count)]


def decode_plainly(size: int, shrink: bool, paths: Sequence[str]) -> float:
    """Pillow alone: the least for squares of a size. Returns seconds of processor."""
    start = time.process_time()
    for path in paths:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size, 2 * size))
            image.load()
            if shrink:
                image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return time.process_time() - start


def time_cores(paths: Sequence[str], size: int, *, shrink: bool) -> Spent:
    """What a process on each core needs with Pillow alone."""
    parts = [paths[n : n + AT_ONCE] for n in range(0, len(paths), AT_ONCE)]
    work = partial(decode_plainly, size, shrink)
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        list(pool.map(work, parts[: os.cpu_count()]))  # they have started then
        start = time.perf_counter()
        used = sum(pool.map(work, parts))
        return Spent(time.perf_counter() - start, used)


def time_product(paths: Sequence[str], size: int, batch: int = 256) -> Spent:
    """What the product needs."""
    workers = Settings().workers
    start, before = time.perf_counter(), time.process_time()
    batches = iter_batches(paths, size=size, batch_size=batch, workers=workers)
    with closing(batches):
        decoded = sum(len(one.index) for one in batches)
    assert decoded == len(paths)
    return Spent(time.perf_counter() - start, time.process_time() - before)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--distinct", type=int, default=2_000, help="that are drawn")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 224])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_photos(Path(folder), options.images, options.distinct)
        kib = sum(map(os.path.getsize, paths)) / len(paths) / 1024
        print(f"{len(paths):,} JPEGs of 640 x 480, {kib:.0f} KiB each")
        print("| side | done by | s | CPU s | share of the clock | of CPU |")
        print("|---|---|---|---|---|---|", flush=True)
        for size in options.sizes:
            time_product(paths[: 4 * AT_ONCE], size)  # what is loaded once
            ours = time_product(paths, size)
            found = {
                "ours": ours,
                "Pillow, decoding": time_cores(paths, size, shrink=False),
                "Pillow, shrinking too": time_cores(paths, size, shrink=True),
            }
            for name, (clock, used) in found.items():
                print(
                    f"| {size} | {name} | {clock:.1f} | {used:.1f} | "
                    f"{clock / ours.clock:.2f} | {used / ours.processor:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
