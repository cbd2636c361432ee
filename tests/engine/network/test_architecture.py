"""The small residual network."""

import pytest
import torch

from fiftyone_dfaulo.engine.network.architecture import seeded_network


@pytest.mark.parametrize("size", [8, 11, 16, 28, 32, 50, 64])
def test_features_and_logits_have_their_shapes_at_every_size(size):
    network = seeded_network(3, size, seed=0).eval()
    images = torch.zeros(2, 3, size, size)
    assert network.features(images).shape == (2, 128)
    assert network(images).shape == (2, 3)


def test_weights_come_from_the_seed_and_leave_torch_s_own_alone():
    state = torch.get_rng_state()
    first, again, other = (seeded_network(2, 8, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
