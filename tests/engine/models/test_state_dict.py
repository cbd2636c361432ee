"""Weights are read as they were saved; hostile ones run nothing and stay bounded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch import nn

from fiftyone_dfaulo.engine.models.state_dict import read_saved

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.complex128,
)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_torch_saves_is_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "saved.pt"
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    whole = torch.arange(12.0).reshape(3, 4)
    saved = {
        "epoch": 3,
        "best": 0.25,
        "flags": [True, False, None, (1, "two", 3, 4)],
        "arguments": Namespace(lr=1),
        "optimizer": torch.optim.SGD(network.parameters(), 0.1).state_dict(),
        "state_dict": network.state_dict(),
        "parameter": nn.Parameter(torch.ones(2)),
        "part": whole.t()[1:, ::2],
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(7.0),
        "types": {str(dtype): torch.ones(2).to(dtype) for dtype in DTYPES},
    }
    torch.save(saved, path, pickle_protocol=protocol)

    read = read_saved(str(path))

    assert isinstance(read, dict)
    assert list(read) == list(saved)
    assert (read["epoch"], read["best"], read["flags"]) == (3, 0.25, saved["flags"])
    for name, value in network.state_dict().items():
        assert torch.equal(read["state_dict"][name], value)
    assert torch.equal(read["parameter"], torch.ones(2))
    assert torch.equal(read["part"], whole.t()[1:, ::2])
    assert read["empty"].shape == (0, 3)
    assert read["scalar"] == 7
    for dtype in DTYPES:
        assert torch.equal(read["types"][str(dtype)], torch.ones(2).to(dtype))


def save(path: Path, program: bytes) -> None:
    """Writes an archive with this pickle and one storage of four bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", program)
        archive.writestr("w/data/0", bytes(16))
        archive.writestr("w/version", b"3")


def tensor(count: bytes = b"K\x04", size: bytes = b"K\x04", offset: int = 0) -> bytes:
    """The instructions for a tensor in that storage."""
    kind = b"X\x07\0\0\0storagectorch\nFloatStorage\n"
    storage = b"(" + kind + b"X\x01\0\0\x000X\x03\0\0\0cpu" + count + b"tQ"
    rest = b"K%c" % offset + size + b"\x85K\x01\x85\x89Nt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"R"


HUGE = b"J\x00\x00\x00\x10"
NESTED = b"K\x01q\x00" + b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(200))
"""A tuple of a tuple twice, and so on: hashing it takes for ever."""

HOSTILE = {
    "a storage states more than it has": (tensor(count=HUGE), "has 4 numbers and"),
    "a tensor is larger than its storage": (tensor(size=HUGE), "out of bounds"),
    "a tensor starts behind its storage": (tensor(offset=3), "out of bounds"),
    "a tensor's shape is nested": (tensor(size=NESTED), "shape is no numbers"),
    "a key is nested": (b"}" + NESTED + b"K\x01s", "keys that are no names"),
    "a storage's name is nested": (
        b"(Nctorch\nFloatStorage\n" + NESTED + b"NK\x04tQ",
        "it has a torch FloatStorage",
    ),
    "an integer has a million digits": (b"I" + b"9" * 10**6 + b"\n", "digits"),
    "the stack is empty": (b"t", "damaged"),
    "nothing is there": (b"h\x05", "damaged"),
    "text is longer than the file": (b"X\xff\xff\xff\x7fabc", "expected 2147483647"),
    "an instruction is none of ours": (b"(K\x01o", "instruction OBJ"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_weights_are_refused_with_the_reason(tmp_path: Path, what: str) -> None:
    program, reason = HOSTILE[what]
    path = tmp_path / "weights.pt"
    save(path, b"\x80\x02" + program + b".")
    with pytest.raises((ValueError, RuntimeError), match=reason):
        read_saved(str(path))


def test_the_instructions_of_these_tests_make_a_tensor(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    save(path, b"\x80\x02" + tensor() + b".")
    assert torch.equal(read_saved(str(path)), torch.zeros(4))  # type: ignore[arg-type]


def test_numbers_of_a_big_endian_machine_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    save(path, b"\x80\x02" + tensor() + b".")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("w/byteorder", b"big")
    with pytest.raises(ValueError, match="not little-endian"):
        read_saved(str(path))


def test_gigabytes_that_a_small_file_asks_for_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    many = b"\x8a\x05\x00\x00\x00\x00\x04"  # 2**34
    save(path, b"\x80\x02cbuiltins\nbytearray\n" + many + b"\x85R.")
    script = (
        "import resource, sys; from fiftyone_dfaulo.engine.models.loading import *\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try: load_model({str(path)!r}, factory='torchvision.models:resnet18')\n"
        "except InputError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, grown = done.stdout.strip().splitlines()
    assert "is a pickled object (it names" in said
    assert int(grown) < 200 * 1024  # kilobytes
