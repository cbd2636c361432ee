"""When a network is the same as another, so that its work may be reused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.engine.models.identity import identify
from tests.engine.models.test_torch_embedder import Net, embedder


def double(x: Tensor) -> Tensor:
    return 2 * x


class Scaled(nn.Module):
    """A network whose output goes through a number, a function and a set of names."""

    name = "first"

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale, self.turn = Net(), 2.0, double
        self.register_buffer("shift", torch.zeros(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        factor = self.scale if self.name in {"first", "second"} else 1.0
        return factor * self.net(self.turn(x)) + self.shift


class Renamed(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return 3 + super().forward(x)


def change_weight(one: Any) -> None:
    one.net.head.weight.data[0, 0] += 1e-7


def change_buffer(one: Any) -> None:
    one.shift[1] = 1e-30


def change_number(one: Any) -> None:
    one.scale = 2.0000001


def change_function(one: Any) -> None:
    one.turn = lambda x: 2.5 * x


def change_inner_function(one: Any) -> None:
    one.turn = lambda x: double(double(x))


def change_mode(one: Any) -> None:
    one.net.drop.train()


CHANGES = [value for name, value in globals().items() if name.startswith("change_")]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_makes_another_network(change: Callable[[Any], None]) -> None:
    one, other = Scaled().eval(), Scaled().eval()
    assert identify(one) == identify(other) == identify(copy.deepcopy(one))
    assert identify(one) is not None
    change(other)
    assert identify(one) != identify(other)


def test_other_code_makes_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    one = identify(Scaled())
    assert identify(Renamed()) != one
    with monkeypatch.context() as patch:
        patch.setattr(Scaled, "name", "second")
        assert identify(Scaled()) != one
    with monkeypatch.context() as patch:
        changed = lambda self, x: self.net(x)  # noqa: E731
        patch.setattr(Scaled, "forward", changed)
        assert identify(Scaled()) != one
    assert identify(Scaled()) == one


def test_a_network_with_a_hook_is_not_known() -> None:
    module = Net()
    module.head.register_forward_hook(lambda *_: None)
    assert identify(module) is None
    assert embedder(module).identity() is None


def test_what_is_prepared_otherwise_is_another_embedder() -> None:
    one = embedder(Net()).identity()
    assert one == embedder(Net()).identity()
    assert one is not None
    others = [embedder(Net(), mode="BGR"), embedder(Net(), layer="body")]
    assert len({one, *(other.identity() for other in others)}) == 3
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)  # the last bits depend on it
    try:
        assert embedder(Net()).identity() != one
    finally:
        torch.set_num_threads(threads)
