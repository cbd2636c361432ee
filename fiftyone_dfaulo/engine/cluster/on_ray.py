"""A Ray cluster as an executor; Ray is imported here alone, and only when asked for.

1. A part is a task of one CPU. Where there are GPUs, work that is faster on one is a
   task of one GPU, and of its share of the machine's CPUs.
2. There are twice as many tasks as can run: one runs while another waits. So memory
   does not grow with the parts, and what a machine that joins can do is seen.
3. A task whose worker or machine dies is run again by Ray, on whatever is left.
4. Results come back to this process, which keeps them, so that nothing of a run is only
   on a machine that may go.
5. A run that is stopped leaves the cluster, and Ray ends the processes that worked for
   it. Its tasks are not cancelled one by one: Ray (2.60) aborts a process that cancels
   a task just when it ends ("Tried to complete task that was not pending").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fiftyone_dfaulo.engine.cluster.executor import Executor, Shared, Work
from fiftyone_dfaulo.errors import ClusterError, DFauLoError, InputError, one_line

Node = dict[str, Any]
"""What Ray says of a machine."""

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")

_SHARE = 0.01  # of a GPU, to look at it
_AHEAD = 2  # tasks for each that can run


class OnRay(Executor):
    """The cluster that this process is connected to."""

    remote = True

    @property
    def has_gpu(self) -> bool:
        """See :meth:`.Executor.has_gpu`."""
        return self._needs(gpu=True)[1] > 0

    def share(self, value: S) -> Shared[S]:
        """See :meth:`.Executor.share`."""
        try:
            return _Sent(ray.put(value))
        except RayError as error:
            raise ClusterError(
                f"the cluster's memory cannot take what the workers need "
                f"({type(error).__name__}: {one_line(error)}); give this node more by "
                "`ray start --object-store-memory`, or leave cluster out"
            ) from error
        except Exception as error:  # whatever somebody's model raises
            why = error.__cause__ or error.__context__ or error  # Ray tells at length
            raise InputError(
                "the model, or what else the work needs, cannot be sent to the workers "
                f"of a cluster ({type(why).__name__}: {one_line(why)}); pass a model "
                "that pickle can copy, such as a plain torch.nn.Module, or leave "
                "cluster out"
            ) from error

    def each(
        self,
        work: Work[S, P, R],
        shared: Shared[S],
        parts: Sequence[P],
        *,
        gpu: bool = False,
    ) -> Generator[R, None, None]:
        """See :meth:`.Executor.each`."""
        cpus, gpus = self._needs(gpu)
        remote: Any = ray.remote(_work)
        task = remote.options(
            num_cpus=cpus, num_gpus=gpus, runtime_env=_surroundings(cpus)
        )
        waiting = iter(parts)
        running: deque[ray.ObjectRef[list[R]]] = deque()
        while True:
            while len(running) < _AHEAD * self._slots(cpus, gpus):
                some = list(islice(waiting, cpus))
                if not some:
                    break
                running.append(task.remote(work, shared, some))
            if not running:
                return
            yield from _result(running.popleft())

    def everywhere(
        self, ask: Callable[[P], R], about: P, *, gpu: bool = False
    ) -> dict[str, R]:
        """See :meth:`.Executor.everywhere`."""
        task: Any = ray.remote(ask)
        cpus, gpus = self._needs(gpu)
        asked = {}
        for node in _nodes():
            if gpus and not node["Resources"].get("GPU", 0):
                continue
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[_name(node)] = task.options(
                num_cpus=0,
                num_gpus=_SHARE * gpus,  # the least, or it would wait for a free one
                scheduling_strategy=place,
                runtime_env=_surroundings(cpus),
            ).remote(about)
        found = {}
        for name, ref in asked.items():
            with suppress(TaskUnschedulableError):  # it is gone meanwhile
                found[name] = _result(ref, TaskUnschedulableError)
        return found

    def threads(self, given: int, *, gpu: bool = False) -> int:
        """See :meth:`.Executor.threads`."""
        return self._needs(gpu)[0]

    def _needs(self, gpu: bool) -> tuple[int, int]:
        """CPUs and GPUs of a task."""
        shares = [
            int(node["Resources"].get("CPU", 0) // node["Resources"]["GPU"])
            for node in _nodes()
            if node["Resources"].get("GPU", 0) >= 1
        ]
        return (max(1, min(shares)), 1) if gpu and shares else (1, 0)

    def _slots(self, cpus: int, gpus: int) -> int:
        """Tasks that can run at once."""
        there = ray.cluster_resources()
        if gpus:
            return max(1, int(there.get("GPU", 0)))
        return max(1, int(there.get("CPU", 0) // cpus))


class _Sent(Shared[S]):
    """Something in the cluster's memory; a worker keeps what it has last unpacked."""

    _last: tuple[str, object] = ("", None)

    def __init__(self, ref: ray.ObjectRef[S]) -> None:
        self._ref = ref

    def get(self) -> S:
        name = self._ref.hex()
        if _Sent._last[0] != name:
            _Sent._last = ("", None)  # first, or there are two in memory
            _Sent._last = (name, ray.get(self._ref))
        value: S = _Sent._last[1]  # type: ignore[assignment]
        return value


def _work(work: Work[S, P, R], shared: Shared[S], parts: Sequence[P]) -> list[R]:
    """What a task does."""
    return list(work(shared.get(), parts))


def _surroundings(cpus: int) -> dict[str, dict[str, str]]:
    """What the workers' environment says: threads, and no database of FiftyOne's."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(cpus))
    return {"env_vars": {**threads, "FIFTYONE_DISABLE_SERVICES": "1"}}


def _result(ref: ray.ObjectRef[R], but: type[RayError] | None = None) -> R:
    """What a task gives.

    Args:
        ref: of the task.
        but: an error that is raised as it is.

    Raises:
        DFauLoError: what it raises.
        ClusterError: if it fails otherwise.
    """
    try:
        result: R = ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, DFauLoError):
            raise error.cause from None
        raise ClusterError(
            f"work on the cluster failed ({type(error.cause).__name__}: "
            f"{one_line(error.cause)}); if a module is missing there, install "
            "fiftyone-dfaulo and what the model needs on each node"
        ) from error
    except RayError as error:
        if but is not None and isinstance(error, but):
            raise
        raise ClusterError(
            f"work on the cluster was lost, also when it was tried again "
            f"({type(error).__name__}: {one_line(error)}); see to its nodes and their "
            "memory, and call again: what was kept is not done anew"
        ) from error
    return result


def _nodes() -> list[Node]:
    """The machines that are there and can compute."""
    return [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0)]


def _name(node: Node) -> str:
    """How a message calls a machine."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"
