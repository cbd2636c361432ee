"""The state of a training as arrays, from which it goes on with the same bits."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

_MODULE, _OPTIMIZER, _RNG = "module.", "optimizer.", "rng"
_DRAWN, _DRAWN_THERE = "drawn", "drawn there"


def pack(
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, np.ndarray]:
    """Weights and buffers; and, if it is to be trained further, how that stands."""
    state = {_MODULE + name: _array(one) for name, one in module.state_dict().items()}
    if optimizer is not None:
        for place, parameter in enumerate(_parameters(optimizer)):
            for name, value in optimizer.state[parameter].items():
                if value is not None:  # as a momentum that there is none of yet
                    state[f"{_OPTIMIZER}{place}.{name}"] = _array(value)
    if rng is not None:
        text = json.dumps(rng.bit_generator.state).encode()
        state[_RNG] = np.frombuffer(text, np.uint8)
    return state


def unpack(
    state: Mapping[str, np.ndarray],
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    rng: np.random.Generator | None = None,
) -> None:
    """Brings back what :func:`pack` has kept; tensors keep their layout in memory."""
    weights = {
        name.removeprefix(_MODULE): _tensor(value)
        for name, value in state.items()
        if name.startswith(_MODULE)
    }
    module.load_state_dict(weights)
    if optimizer is not None:
        for place, parameter in enumerate(_parameters(optimizer)):
            own = f"{_OPTIMIZER}{place}."
            for key, value in state.items():
                if not key.startswith(own):
                    continue
                tensor = _tensor(value)
                if value.shape == parameter.shape:
                    tensor = torch.empty_like(parameter).detach().copy_(tensor)
                optimizer.state[parameter][key.removeprefix(own)] = tensor
    if rng is not None:
        rng.bit_generator.state = json.loads(state[_RNG].tobytes())


def pack_drawn(device: torch.device) -> dict[str, np.ndarray]:
    """How torch's own generators stand, that layers such as dropout draw from."""
    state = {_DRAWN: torch.get_rng_state().numpy()}
    if device.type == "cuda":
        state[_DRAWN_THERE] = torch.cuda.get_rng_state(device).numpy()
    return state


def unpack_drawn(state: Mapping[str, np.ndarray], device: torch.device) -> None:
    """Brings back what :func:`pack_drawn` has kept."""
    torch.set_rng_state(_tensor(state[_DRAWN]))
    if device.type == "cuda":
        torch.cuda.set_rng_state(_tensor(state[_DRAWN_THERE]), device)


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [one for group in optimizer.param_groups for one in group["params"]]


def _array(value: Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().cpu().numpy()
    return array


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value))  # what is kept is not to be written to
