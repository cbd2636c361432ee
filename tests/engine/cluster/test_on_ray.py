"""Work on a Ray cluster of two nodes: done, lost, cancelled, refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import neighbours
from fiftyone_dfaulo.engine.cluster.connection import check_cluster, open_executor
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.method import multi_label, near_duplicates
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble
from fiftyone_dfaulo.engine.method.single_label import score_labels
from fiftyone_dfaulo.errors import ClusterError, InputError
from tests.engine.cluster import works
from tests.two_nodes import Nodes, names, two_nodes, wait_for

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as nodes:
        yield nodes


@pytest.fixture
def executor(nodes: Nodes) -> Iterator[Executor]:
    with open_executor(nodes.address) as executor:
        yield executor


def test_results_come_in_the_order_of_the_parts(executor: Executor) -> None:
    base, parts = np.array([2, 3]), [*range(9)]
    expected = [[2**n, 3**n] for n in parts]
    for one in (executor, HERE):
        assert [*one.each(works.powers, one.share(base), parts)] == expected
        assert [*one.each(works.powers, one.share(base), [])] == []


def test_each_node_is_asked_once_with_one_thread(executor: Executor) -> None:
    found = executor.everywhere(works.node, None)
    assert len(set(found.values())) == len(found) == 2
    assert all(node[:8] in name for name, node in found.items())
    assert {*executor.everywhere(works.threads, None).values()} == {"1"}
    assert executor.threads(8) == executor.threads(8, gpu=True) == 1


def test_a_run_that_is_stopped_leaves_nothing_at_work(
    nodes: Nodes, tmp_path: Path
) -> None:
    with open_executor(nodes.address) as executor:
        shared = executor.share(str(tmp_path))
        with closing(executor.each(works.begin_and_wait, shared, [*range(9)])) as found:
            assert next(found) == 0
            wait_for(lambda: len(names(tmp_path, "[1-9]-*.begun")) == 2)
    begun = names(tmp_path, "*.begun")
    pids = [int(name.partition("-")[2].partition(".")[0]) for name in begun]
    wait_for(lambda: not any(map(_works, pids)))
    with open_executor(nodes.address) as executor:
        shared = executor.share(np.array([2]))
        assert [*executor.each(works.powers, shared, [3])] == [[8]]
    assert names(tmp_path, "*.begun") == begun


def _works(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_heads_tags_and_neighbours_are_those_of_this_process(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 40)  # in several parts
    monkeypatch.setattr(neighbours, "_BLOCK", 120 * 50)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 120)
    vectors = (rng.normal(size=(120, 8)) + 2 * np.eye(8)[labels]).astype(np.float32)
    vectors[7] = vectors[5]
    labels[5], labels[7] = 0, 1
    given = rng.random((120, 3)) < 0.3
    settings, found = Settings(), []
    for who in (HERE, executor):
        ensemble = fit_ensemble(
            vectors, labels, points=vectors, settings=settings, executor=who
        )
        scores = score_labels(labels, ensemble)
        items = [Features(vectors, np.arange(120), {})]
        near = neighbours.find_neighbours(
            items, labels, scores.suggestion, scores.suspiciousness, who
        )
        tags = multi_label.score(vectors, given, settings=settings, executor=who)
        found.append((scores, near, tags.class_suspiciousness))
    (here, near_here, tags_here), (there, near_there, tags_there) = found
    assert here.near_duplicate_of[5] == 7
    np.testing.assert_array_equal(here.near_duplicate_of, there.near_duplicate_of)
    np.testing.assert_allclose(here.suspiciousness, there.suspiciousness, atol=1e-6)
    np.testing.assert_array_equal(near_here, near_there)
    np.testing.assert_allclose(tags_here, tags_there, atol=1e-6)


def test_what_work_raises_is_raised_here(executor: Executor) -> None:
    shared = executor.share(None)
    with pytest.raises(InputError, match="^expected something else$"):
        list(executor.each(works.refuse, shared, ["ours"]))
    with pytest.raises(ClusterError, match=r"failed \(KeyError: 'theirs'\)"):
        list(executor.each(works.refuse, shared, ["theirs"]))


def test_what_cannot_be_sent_is_named(executor: Executor) -> None:
    with pytest.raises(InputError, match=r"cannot be sent .*\(TypeError: a lock"):
        executor.share(works.Unsendable())


def test_auto_finds_what_the_environment_names(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    check_cluster("auto")
    with open_executor("auto") as found:
        assert len(found.everywhere(works.node, None)) == 2


def test_runs_that_overlap_share_the_connection(
    nodes: Nodes, executor: Executor
) -> None:
    with open_executor(nodes.address) as second:
        assert [*second.each(works.powers, second.share(np.array([2])), [3])] == [[8]]
    assert [*executor.each(works.powers, executor.share(np.array([2])), [4])] == [[16]]
    with pytest.raises(ClusterError, match=r"another run in this process works on"):  # noqa: SIM117
        with open_executor("127.0.0.1:1"):
            raise AssertionError


def test_a_node_with_other_versions_is_refused(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "fiftyone_dfaulo.engine.cluster.connection.code_version"
    monkeypatch.setattr(home, lambda: "another")
    with pytest.raises(ClusterError, match=r"node .* has another version"):  # noqa: SIM117
        with open_executor(nodes.address):
            raise AssertionError


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"fiftyone-dfaulo\[cluster\]"):
        check_cluster("auto")
    check_cluster(None)


def test_work_of_a_node_that_dies_is_done_again(
    nodes: Nodes, executor: Executor, tmp_path: Path
) -> None:
    def kill_while_both_work() -> None:
        wait_for(lambda: len(names(tmp_path, "*.begun")) == 2)
        nodes.kill()
        (tmp_path / "go").touch()

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_while_both_work)
        shared = executor.share(str(tmp_path))
        found = [*executor.each(works.begin_and_wait, shared, [*range(1, 7)])]
        killed.result()
    nodes.replace()
    assert found == [*range(1, 7)]
    parts = [name.partition("-")[0] for name in names(tmp_path, "*.begun")]
    assert len(parts) > len(set(parts))  # one was begun twice
