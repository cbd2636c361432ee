"""Joins a Ray cluster for one run, or starts one on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

from fiftyone_dfaulo.engine.cache.digest import code_version
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.errors import ClusterError, InputError, one_line

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.cluster.on_ray import OnRay

AUTO = "auto"
"""The cluster that runs, or else one of this machine's cores, started for the run."""

_PATIENCE = 5.0  # seconds that Ray, too, waits for an address before it warns

_LOCAL_ONLY = "ENABLE_RAY_CLUSTER"
"""Ray's own switch: without it, it listens on this machine's loopback alone, as it does
on Windows and macOS."""


def check_cluster(cluster: object) -> None:
    """Makes sure, without joining it, that there is such a cluster.

    Args:
        cluster: as of :func:`open_executor`.

    Raises:
        InputError: if it is neither None nor text.
        ClusterError: if Ray is not installed, or nothing answers at the address.
    """
    if cluster is None:
        return
    if not isinstance(cluster, str) or not cluster:
        raise InputError(
            f"cluster={cluster!r}: expected None, 'auto' or the address of a Ray "
            "cluster, such as '10.0.0.1:6379'"
        )
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            f"cluster={cluster!r} needs Ray, which cannot be imported "
            f"({one_line(error)}); pip install 'fiftyone-dfaulo[cluster]', or leave "
            "cluster out"
        ) from error
    if not ray.is_initialized():
        address = _running() if cluster == AUTO else cluster
        if address is not None:
            _check_answers(address)


@contextmanager
def open_executor(cluster: str | None) -> Iterator[Executor]:
    """Who does the work of a run; ends with the run what it has started.

    Args:
        cluster: None for this process; :data:`AUTO`; or a cluster's address,
            ``"host:port"`` or ``"ray://host:port"``.

    Raises:
        ClusterError: if it cannot be joined, or a machine has other versions than this
            one.
    """
    if cluster is None:
        yield HERE
        return
    with _CONNECTION.held(cluster):
        from fiftyone_dfaulo.engine.cluster.on_ray import OnRay

        executor = OnRay()
        _check_versions(executor)
        yield executor


class _Connection:
    """Ray's connection of this process, which has one at most, for runs that overlap.

    The first one joins a cluster and the last one leaves it, unless somebody else has
    joined it before.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs = 0
        self._cluster = ""
        self._others = False  # whether somebody else has joined it

    @contextmanager
    def held(self, cluster: str) -> Iterator[None]:
        """Is connected while it is held.

        Raises:
            ClusterError: if it cannot be joined, or other runs are on another one.
        """
        import ray

        with self._lock:
            if self._runs and cluster not in (AUTO, self._cluster):
                raise ClusterError(
                    f"cluster={cluster!r}: another run in this process works on "
                    f"{self._cluster!r}; wait for it, or use another process"
                )
            if not self._runs:
                self._others, self._cluster = ray.is_initialized(), cluster
                if not self._others:
                    _join(cluster)
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if not (self._runs or self._others):
                    ray.shutdown()


_CONNECTION = _Connection()


def _join(cluster: str) -> None:
    import ray

    address = _running() if cluster == AUTO else cluster
    if address is None:
        _start_here()
        return
    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises many kinds
        raise ClusterError(
            f"cluster={address!r} cannot be joined ({one_line(error)}); expected the "
            "address of a Ray cluster with the same versions of Ray and Python, such "
            "as '10.0.0.1:6379' on one of its nodes, or 'ray://10.0.0.1:10001'"
        ) from error


def _running() -> str | None:
    """The address of the cluster that runs here or that the environment names."""
    named = os.environ.get("RAY_ADDRESS", "")
    if named and named not in (AUTO, "local"):
        return named
    if named == "local":
        return None
    with suppress(Exception):  # Ray's own places, which may move
        find = import_module("ray._private.services").find_bootstrap_address
        address: str | None = find(None)
        if address:
            _check_answers(address)  # a cluster that died leaves its address behind
            return address
    return None


def _check_answers(address: str) -> None:
    """Makes sure that something answers at an address; Ray would wait for minutes.

    Raises:
        ClusterError: if nothing does.
    """
    for one in dict.fromkeys([address, _resolved(address)]):
        host, _, port = one.rpartition("://")[2].rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE):
                pass
        except (OSError, ValueError, OverflowError) as error:
            raise ClusterError(
                f"cluster={address!r}: nothing answers at {one!r} ({one_line(error)}); "
                "expected 'auto' or the address of a Ray cluster that runs, such as "
                "'10.0.0.1:6379' on one of its nodes, or 'ray://10.0.0.1:10001'"
            ) from error


def _resolved(address: str) -> str:
    """The address that Ray makes of one: this machine's own for the loopback."""
    if "://" in address:
        return address
    with suppress(Exception):
        resolve = import_module("ray._private.services").canonicalize_bootstrap_address
        return str(resolve(address))
    return address


def _start_here() -> None:
    """Starts a cluster of this machine's cores, which ends with the run."""
    import ray

    constants = import_module("ray._private.ray_constants")
    before = getattr(constants, _LOCAL_ONLY, None)
    setattr(constants, _LOCAL_ONLY, False)
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises many kinds
        raise ClusterError(
            f"no Ray cluster could be started on this machine ({one_line(error)}); "
            "start one with `ray start --head`, or leave cluster out"
        ) from error
    finally:
        setattr(constants, _LOCAL_ONLY, before)


def _check_versions(executor: OnRay) -> None:
    """Makes sure that all machines compute with the same code as this one.

    Raises:
        ClusterError: if one does not.
    """
    for name, version in executor.everywhere(_version, None).items():
        if version != code_version():
            raise ClusterError(
                f"node {name} has another version of fiftyone-dfaulo, or of numpy, "
                "pillow, scikit-learn, scipy, torch or torchvision, than this machine; "
                "install the same ones on all nodes"
            )


def _version(_: None) -> str:
    return code_version()
