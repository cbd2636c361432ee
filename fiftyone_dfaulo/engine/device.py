"""Which device a network runs on, and in which precision."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch

from fiftyone_dfaulo.engine.cache.digest import code_version
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


def surroundings(device: torch.device) -> tuple[object, ...]:
    """What else than inputs decides the bits of a result: code, machine and modes.

    Args:
        device: that it is computed on.
    """
    cuda = device.type == "cuda"
    return (
        code_version(),
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        device.type,
        torch.cuda.get_device_name(device) if cuda else "",
        gains_from_bfloat16(device),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
    )


def own_surroundings(name: str | None) -> tuple[object, ...]:
    """:func:`surroundings` of the device that this machine takes for a name."""
    return surroundings(pick_device(name))


def repeatable() -> AbstractContextManager[object]:
    """Makes cuDNN pick algorithms that give the same bits each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


@contextmanager
def usual_state() -> Iterator[None]:
    """Torch as it is when it was just imported, whatever the caller has set.

    Gradients are on, inference mode and autocast are off, the default device is the CPU
    and the default dtype float32. Deterministic algorithms stay on if they are; where
    there is none, torch warns and takes another one. All is as it was afterwards.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_PROCESS)
        yield


class _OfProcess:
    """What torch keeps for all threads; of runs that overlap, the last one restores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._dtype = torch.float32
        self._strict = False

    def __enter__(self) -> None:
        with self._lock:
            self._open += 1
            if self._open > 1:
                return
            self._dtype = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
            on = torch.are_deterministic_algorithms_enabled()
            self._strict = (
                on and not torch.is_deterministic_algorithms_warn_only_enabled()
            )
            if self._strict:
                torch.use_deterministic_algorithms(True, warn_only=True)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._open -= 1
            if self._open:
                return
            torch.set_default_dtype(self._dtype)
            if self._strict:
                torch.use_deterministic_algorithms(True)


_PROCESS = _OfProcess()
