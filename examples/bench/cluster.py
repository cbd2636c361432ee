"""Two workers of a Ray cluster against one: embedding and heads, one thread each.

Photos of 640 x 480 are drawn and embedded by a resnet18 with random weights; heads are
fitted on embeddings that are drawn around a centre for each class. Each cluster runs on
this machine, on nodes of one CPU, and has done the same work on less before, so that
no start is measured. Where other programs keep the cores, the clock tells little. So
seconds of processor are told as well: of the process that calls, and after it of the
busiest worker, as if they never worked at the same time.

    PYTHONPATH=examples python -m bench.cluster [--images 1500] [--items 20000]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torchvision
from PIL import Image

from bench.growth import draw
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cluster.connection import open_executor
from fiftyone_dfaulo.engine.cluster.executor import Executor
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble
from fiftyone_dfaulo.engine.models.embedder import embed_images
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder

SETTINGS = Settings(device="cpu")
MEMORY = 400 * 2**20  # of a node, for what is shared
CLASSES, WIDTH = 50, 256

Stage = Callable[[Executor, int], object]
"""Does a share of the work, one in so many."""


class Spent(NamedTuple):
    """Seconds on the clock; of processor, of the caller and the busiest worker."""

    clock: float
    processor: float


def draw_photos(folder: Path, count: int) -> list[str]:
    """JPEGs of soft noise, 640 x 480."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        photo = Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)
        paths.append(str(folder / f"{number:06}.jpg"))
        photo.save(paths[-1], quality=90)
    return paths


def stages(paths: list[str], items: int) -> dict[str, Stage]:
    """What is measured, by name."""
    model = torchvision.models.resnet18(weights=None)
    embedder = TorchEmbedder(OriginalModel(model, "resnet18"), SETTINGS)
    embeddings, labels, _ = draw(items, WIDTH, CLASSES)

    def embedding(executor: Executor, share: int) -> object:
        some = paths[: len(paths) // share]
        return embed_images(some, embedder, settings=SETTINGS, executor=executor)

    def heads(executor: Executor, share: int) -> object:
        some = slice(0, items // share)
        return fit_ensemble(
            embeddings[some],
            labels[some],
            points=embeddings[some],
            settings=SETTINGS,
            executor=executor,
        )

    return {"embedding": embedding, "heads": heads}


@contextmanager
def workers(count: int) -> Iterator[Executor]:
    """A cluster of so many nodes of one CPU."""
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": MEMORY}
    cluster = Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    try:
        for _ in range(count - 1):
            cluster.add_node(**node)
        with open_executor(cluster.address) as executor:
            yield executor
    finally:
        cluster.shutdown()


def busy() -> dict[int, float]:
    """Seconds of processor of each of Ray's workers."""
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        if "ray::" in " ".join(process.info["cmdline"] or []):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found


def measure(stage: Stage, executor: Executor) -> Spent:
    """One run; what it takes."""
    before, start, own = busy(), time.perf_counter(), time.process_time()
    stage(executor, 1)
    seconds, own = time.perf_counter() - start, time.process_time() - own
    spent = [after - before.get(pid, 0.0) for pid, after in busy().items()]
    return Spent(seconds, own + max(spent, default=0.0))


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_500)
    parser.add_argument("--items", type=int, default=20_000, help="of the heads")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        every = stages(draw_photos(Path(folder), options.images), options.items)
        found: dict[tuple[str, int], list[Spent]] = {}
        for count in (1, 2):
            with workers(count) as executor:
                for name, stage in every.items():
                    stage(executor, 8)
                    found[name, count] = [
                        measure(stage, executor) for _ in range(options.runs)
                    ]
    least = {case: np.array(spent).min(0) for case, spent in found.items()}
    for count in (1, 2):
        least["both", count] = sum(least[name, count] for name in every)
    print(
        "| stage | one, s | two, s | times as fast | one, CPU s | two, CPU s | times |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in (*every, "both"):
        (clock, used), (clock_2, used_2) = least[name, 1], least[name, 2]
        print(
            f"| {name} | {clock:.1f} | {clock_2:.1f} | {clock / clock_2:.2f} | "
            f"{used:.1f} | {used_2:.1f} | {used / used_2:.2f} |"
        )
    print(f"load: {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
