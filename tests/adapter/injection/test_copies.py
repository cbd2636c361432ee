"""A process that dies while it makes a copy leaves nothing after the next call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.injection.copies import sweep, unfinished_name
from fiftyone_dfaulo.adapter.injection.inject import inject_faults
from fiftyone_dfaulo.adapter.injection.quality import estimate_quality
from tests.adapter.process import run_forked

DIE = """
import os, signal, sys
import fiftyone as fo
from fiftyone_dfaulo.adapter.injection import inject, planting, quality

place, how = sys.argv[2].split("."), sys.argv[3]
owner = globals()[place[0]]
original = getattr(owner, place[1])

def die(*args, **kwargs):
    original(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, place[1], die)
dataset = fo.load_dataset(sys.argv[1])
if how == "inject":
    inject.inject_faults(dataset, kind="corrupt", rate=0.3)
else:
    quality.estimate_quality(dataset, embeddings="emb", rate=0.3, progress=False)
"""

PLACES = [
    ("inject._clone", "inject"),
    ("planting.add_fields", "inject"),
    ("planting.make_folder", "inject"),
    ("planting.write_images", "inject"),
    ("planting._write", "inject"),
    ("inject._clone", "estimate"),
    ("quality._match_embeddings", "estimate"),
]


@pytest.fixture
def dataset(clusters: Any) -> Any:
    """60 samples with embeddings."""
    clusters.persistent = True
    return clusters


def what_is_there(dataset: Any) -> tuple[list[str], list[Path]]:
    root = Path(fo.config.default_dataset_dir)
    others = [name for name in fo.list_datasets() if name != dataset.name]
    return others, sorted(root.glob("*")) if root.is_dir() else []


@pytest.mark.parametrize(("place", "how"), PLACES)
def test_the_next_call_sweeps_what_a_dead_process_left(
    dataset: Any, place: str, how: str
) -> None:
    before = what_is_there(dataset)
    process = run_forked(DIE, dataset.name, place, how)
    assert process.returncode == -9, process.stderr
    assert what_is_there(dataset) != before

    sweep()

    assert what_is_there(dataset) == before


def test_a_call_sweeps_first(dataset: Any) -> None:
    assert run_forked(DIE, dataset.name, "inject._clone", "inject").returncode == -9
    names = set(fo.list_datasets(glob_patt="dfaulo-unfinished-*"))
    assert len(names) == 1
    made = inject_faults(dataset, rate=0.3)
    assert made.name == f"{dataset.name}-injected"
    assert not names & set(fo.list_datasets())
    made.delete()


def test_a_copy_that_is_being_made_is_left_alone(dataset: Any) -> None:
    with unfinished_name() as name:
        dataset.clone(name)
        sweep()
        assert fo.dataset_exists(name)
    sweep()
    assert not fo.dataset_exists(name)


def test_an_estimate_leaves_nothing(dataset: Any) -> None:
    before = what_is_there(dataset)
    estimate_quality(dataset, embeddings="emb", rate=0.3, progress=False)
    assert what_is_there(dataset) == before
