"""Choice of device and precision."""

import pytest
import torch

from fiftyone_dfaulo.engine.device import autocast, gains_from_bfloat16, pick_device
from fiftyone_dfaulo.errors import InputError


def test_a_named_device_is_taken():
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["warp drive", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_an_error_that_says_so(name):
    with pytest.raises(InputError, match="cannot be used on this machine"):
        pick_device(name)


def test_a_device_is_picked_where_none_is_named():
    torch.empty(1, device=pick_device(None))


def test_bfloat16_is_used_just_where_it_gains():
    cpu = torch.device("cpu")
    with autocast(cpu):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    expected = torch.bfloat16 if gains_from_bfloat16(cpu) else torch.float32
    assert product.dtype == expected
