"""Work that is kept between runs on datasets, and cleared with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import torch
from torch import nn

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.errors import InputError, RunError

LABELS = [*"abc"] * 6


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3)
        )


def score(dataset: Any, key: str = "dfaulo", **how: Any) -> dfaulo.DFauLoResults:
    own = dfaulo.Preprocessing(8, mean=0.0, std=1.0)
    given = {"model": network(), "preprocessing": own, "progress": False, **how}
    return dfaulo.compute_suspiciousness(dataset, brain_key=key, **given)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFAULO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("DFAULO_CACHE_GB", raising=False)


EMBEDDED = "Embedded by earlier runs: 18 of 18 images."


def test_another_run_reuses_embeddings_until_they_are_cleared(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(LABELS)
    first = score(dataset)
    assert EMBEDDED not in first.notes
    second = score(dataset, "other", seed=1)
    assert EMBEDDED in second.notes
    assert EMBEDDED not in score(dataset, "third", model=network(1)).notes

    info = dfaulo.cache_info()
    assert {one.brain_key for one in info.runs} == {"dfaulo", "other", "third"}
    assert {one.dataset for one in info.runs} == {dataset.name}
    assert 0 < info.bytes < info.limit
    assert "embeddings 1" in str(info)

    assert dfaulo.clear_cache(dataset, "third") > 0
    again = score(dataset)
    assert EMBEDDED in again.notes
    np.testing.assert_array_equal(again.suspiciousness, first.suspiciousness)
    assert dfaulo.clear_cache(dataset.name) > 0
    assert dfaulo.cache_info().runs == []
    assert EMBEDDED not in score(dataset).notes
    assert dfaulo.clear_cache() > 0
    assert dfaulo.cache_info().bytes == 0


def test_labels_are_no_part_of_embeddings(make_dataset: Any) -> None:
    dataset = make_dataset(LABELS)
    score(dataset)
    dataset.set_values("ground_truth.label", LABELS[::-1])
    assert EMBEDDED in score(dataset).notes
    clone = dataset.clone()
    assert EMBEDDED in score(clone).notes
    clone.delete()
    assert len(dfaulo.cache_info().runs) == 2


def test_a_run_may_keep_nothing_or_take_its_work_with_it(make_dataset: Any) -> None:
    dataset = make_dataset(LABELS)
    score(dataset, cache="none")
    assert dfaulo.cache_info().bytes == 0
    score(dataset, cache="run")
    assert dfaulo.cache_info().bytes > 0
    dataset.rename_brain_run("dfaulo", "renamed")
    assert [one.brain_key for one in dfaulo.cache_info().runs] == ["renamed"]
    dataset.delete_brain_run("renamed")
    assert dfaulo.cache_info().bytes == 0
    score(dataset)
    dataset.delete_brain_run("dfaulo")
    assert dfaulo.cache_info().bytes > 0


def test_where_no_work_can_be_kept_a_run_is_whole_and_says_so(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset = make_dataset(LABELS)
    usual = score(dataset, cache="none")
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("DFAULO_CACHE_DIR", str(tmp_path / "file"))
    found = score(dataset)
    assert "Work could not be kept" in found.notes[-1]
    np.testing.assert_array_equal(found.suspiciousness, usual.suspiciousness)
    monkeypatch.setenv("DFAULO_CACHE_GB", "0")
    assert score(dataset).notes == usual.notes
    for text in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("DFAULO_CACHE_GB", text)
        with pytest.raises(InputError, match="DFAULO_CACHE_GB"):
            score(dataset)


def test_a_test_on_planted_faults_reuses_embeddings_for_the_same_dataset(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(LABELS * 2)
    for _ in range(2):
        dfaulo.estimate_quality(dataset, rate=0.2, progress=False, epochs=1)
    assert {one.dataset for one in dfaulo.cache_info().runs} <= {dataset.name}


def test_what_is_cleared_must_be_a_dataset(make_dataset: Any) -> None:
    with pytest.raises(InputError, match="brain_key"):
        dfaulo.clear_cache(brain_key="dfaulo")
    with pytest.raises(InputError, match="samples"):
        dfaulo.clear_cache(5)  # type: ignore[arg-type]
    dataset = make_dataset(LABELS)
    score(dataset)
    name = dataset.name
    fo.delete_dataset(name)
    with pytest.raises(RunError, match="deleted"):
        dfaulo.clear_cache(dataset)
    assert dfaulo.clear_cache(name) > 0
