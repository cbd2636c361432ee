"""Two nodes of a Ray cluster on this machine, small, and gone at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

SMALL = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
"""What a node may have."""

LONGEST = 60.0  # seconds, after which something has gone wrong


class Nodes:
    """A cluster whose second node can be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True, head_node_args={**SMALL, "include_dashboard": False}
        )
        try:
            self.second = self.cluster.add_node(**SMALL)
        except BaseException:
            self.cluster.shutdown()
            raise
        self.address: str = self.cluster.address

    def kill(self) -> None:
        """Kills the second node: all its processes, as if its power were gone."""
        raylet = self.second.all_processes["raylet"][0].process.pid
        workers = psutil.Process(raylet).children(recursive=True)
        self.cluster.remove_node(self.second, allow_graceful=False)
        for one in workers:
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def replace(self) -> None:
        """Another second node; Ray starts one in the main thread alone."""
        self.second = self.cluster.add_node(**SMALL)


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """The nodes; they end with this, whatever happens."""
    import ray

    nodes = Nodes()
    try:
        yield nodes
    finally:
        ray.shutdown()
        nodes.cluster.shutdown()


def wait_for(what: Callable[[], Any]) -> Any:
    """What a function says once it says something; it is asked again and again."""
    end = time.monotonic() + LONGEST
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def names(folder: Path, pattern: str) -> list[str]:
    """Names of files, sorted."""
    return sorted(path.name for path in folder.glob(pattern))
