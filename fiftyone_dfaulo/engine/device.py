"""Which device a network runs on, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from fiftyone_dfaulo.errors import InputError


def pick_device(name: str | None) -> torch.device:
    """The named device, or else CUDA, then Apple's MPS, then the CPU.

    Raises:
        InputError: if the device is unknown to torch or not on this machine.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device={name!r} cannot be used on this machine "
            f"({str(error).splitlines()[0]}); leave it out to have one picked"
        ) from None
    return device


def gains_from_bfloat16(device: torch.device) -> bool:
    """Whether the device has native bfloat16 arithmetic.

    It asks the hardware and times nothing, so that the same machine always takes the
    same path.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        # Without matrix units bfloat16 is slower: 1.5 times with AVX512-BF16 alone.
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
    return False


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision for forward passes where the device gains from it."""
    if gains_from_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def repeatable() -> AbstractContextManager[object]:
    """Makes cuDNN pick algorithms that give the same bits each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
