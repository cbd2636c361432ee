"""That torch's global state neither spoils a run nor is changed by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness
from fiftyone_dfaulo.engine.device import usual_state


@contextmanager
def changed(change: Callable[[Any], object], new: Any, old: Any) -> Iterator[None]:
    change(new)
    try:
        yield
    finally:
        change(old)


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: changed(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: changed(torch.set_default_dtype, torch.float16, torch.float32),
    "device": lambda: changed(torch.set_default_device, "meta", None),
    "device context": lambda: torch.device("meta"),
    "deterministic": lambda: changed(torch.use_deterministic_algorithms, True, False),
}


def state() -> dict[str, Any]:
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "autocast dtype": torch.get_autocast_dtype("cpu"),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn": torch.is_deterministic_algorithms_warn_only_enabled(),
    }


@pytest.fixture(scope="module")
def dataset(make_shared_dataset: Any) -> Any:
    return make_shared_dataset([*"abab" * 6])


@pytest.fixture(scope="module")
def usual(dataset: Any) -> np.ndarray:
    return scores(dataset)


def scores(dataset: Any) -> np.ndarray:
    done = compute_suspiciousness(dataset, epochs=1, overwrite=True, progress=False)
    return done.suspiciousness


@pytest.mark.parametrize("name", STATES)
def test_a_run_gives_the_same_scores_and_leaves_it_as_it_was(
    dataset: Any, usual: np.ndarray, name: str
) -> None:
    before = state()
    with STATES[name]():
        inside = state()
        found = scores(dataset)
        assert state() == inside
    assert inside != before
    assert state() == before
    np.testing.assert_array_equal(found, usual)


def test_the_papers_method_and_an_own_model_work_in_all_of_them_at_once(
    dataset: Any,
) -> None:
    def run(**how: Any) -> np.ndarray:
        settings = {"epochs": 1, "overwrite": True, "progress": False, **how}
        return compute_suspiciousness(dataset, **settings).suspiciousness

    torch.manual_seed(51)
    layers = (torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten())
    model = torch.nn.Sequential(*layers, torch.nn.Linear(192, 2))
    ways: tuple[dict[str, Any], ...] = ({"method": "paper"}, {"model": model})
    usual = [run(**way) for way in ways]
    with ExitStack() as stack:
        for one in STATES.values():
            stack.enter_context(one())
        inside = state()
        found = [run(**way) for way in ways]
        assert state() == inside
    np.testing.assert_array_equal(found, usual)


def test_an_error_leaves_it_as_it_was() -> None:
    with STATES["float64"](), STATES["deterministic"](), torch.inference_mode():
        inside = state()
        with pytest.raises(KeyError), usual_state():
            raise KeyError
        assert state() == inside


def test_of_two_runs_that_overlap_the_last_restores() -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with usual_state():
            entered.set()
            leave.wait()

    with STATES["float64"](), STATES["deterministic"]():
        thread = threading.Thread(target=other)
        with usual_state():
            thread.start()
            entered.wait()
        assert torch.get_default_dtype() is torch.float32  # the other goes on
        leave.set()
        thread.join()
        assert torch.get_default_dtype() is torch.float64
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
