"""Clusters that are not there, and one that is started for a run."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

import numpy as np
import psutil
import pytest

from fiftyone_dfaulo.engine.cluster.connection import check_cluster, open_executor
from fiftyone_dfaulo.errors import ClusterError, InputError
from tests.engine.cluster import works

ray = pytest.importorskip("ray")


@pytest.fixture(autouse=True)
def alone() -> None:
    ray.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "ray://127.0.0.1:1"])
def test_an_address_at_which_nothing_answers_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=rf"cluster='{address}': nothing answers"):
        check_cluster(address)


@pytest.mark.parametrize("cluster", [True, 6379, "", ["auto"]])
def test_what_is_no_address_is_refused(cluster: Any) -> None:
    with pytest.raises(InputError, match=r"expected None, 'auto' or the address"):
        check_cluster(cluster)


def listening(process: psutil.Process) -> set[str]:
    """The addresses that a process listens at."""
    with suppress(psutil.NoSuchProcess):
        every = process.net_connections(kind="inet")
        return {one.laddr.ip for one in every if one.status == psutil.CONN_LISTEN}
    return set()


def test_without_a_cluster_auto_starts_one_on_the_loopback_for_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    constants = importlib.import_module("ray._private.ray_constants")
    monkeypatch.setattr(constants, "ENABLE_RAY_CLUSTER", True)  # as it is on Linux
    check_cluster("auto")
    with open_executor("auto") as executor:
        own = [psutil.Process(), *psutil.Process().children(recursive=True)]
        found = set().union(*map(listening, own))
        assert found
        assert all(one.endswith("127.0.0.1") for one in found)
        shared = executor.share(np.array([2]))
        assert [*executor.each(works.powers, shared, [5])] == [[32]]
    assert not ray.is_initialized()
