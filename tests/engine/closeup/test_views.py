"""What is cut out around boxes, and what edges are told from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.closeup.network import VIEW, seeded_net
from fiftyone_dfaulo.engine.closeup.views import (
    AROUND,
    ITSELF,
    SEEN,
    SIDE,
    Cutter,
    draw_boxes,
    moved_by,
    offsets,
    view,
)


def one_white(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A black image of 60 x 60 in which one part is white."""
    pixels = np.zeros((1, 60, 60, 3), np.uint8)
    pixels[0, top:bottom, left:right] = 255
    return pixels


def bright(picture: torch.Tensor) -> list[float]:
    """Where the bright part is, from -.5 to .5: left, top, right, bottom."""
    values = picture.float().numpy()
    high = values > (values.max() + values.min()) / 2
    edges = []
    for axis in (0, 1):
        (found,) = np.nonzero(high.any(axis))
        edges.append((found[0], found[-1] + 1))
    side = len(high)
    return [edges[k][n] / side - 0.5 for n in range(2) for k in range(2)]


def test_a_box_lies_in_the_middle_of_what_is_cut_around_it() -> None:
    pixels = one_white(20, 24, 40, 34)
    boxes = Boxes(np.zeros(1, int), np.array([[20, 24, 20, 10]]) / 60)
    around = Cutter(pixels).cut(boxes)

    assert around.shape == (1, 3, SIDE, SIDE)
    assert bright(torch.from_numpy(around[0, 0])) == pytest.approx(
        (ITSELF / AROUND).tolist(), abs=1.5 / SIDE
    )


def test_cuts_keep_the_order_of_boxes_and_end_where_the_image_does() -> None:
    pixels = np.concatenate([one_white(0, 0, 60, 60), one_white(0, 0, 1, 1)])
    corner = [[0.0, 0.0, 0.5, 0.5]]
    both = Boxes(np.array([1, 0]), np.array(corner * 2))
    dark, light = Cutter(pixels).cut(both)[:, 0].astype(int)

    inside = SIDE // 3 + 4  # two thirds of the sides lie in the image
    assert light[inside, inside] > dark[inside, inside]
    assert light[2, 2] == dark[2, 2] == 128  # the mean, as nothing is there


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_view_shows_a_box_and_as_much_again(mirrored: bool) -> None:
    around = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    third = SIDE // 3
    around[:, :, third : 2 * third, third : 2 * third] = 255
    # the view's box is the box's right half
    seen = view(around, np.array([[0.0, -0.5, 0.5, 0.5]]), np.array([mirrored]))

    assert seen.shape == (1, 3, VIEW, VIEW)
    low, high = (-0.5 - 0.25) / 0.5 / SEEN, (0.5 - 0.25) / 0.5 / SEEN
    if mirrored:
        low, high = -high, -low
    expected = [max(low, -0.5), -0.5 / SEEN, min(high, 0.5), 0.5 / SEEN]
    assert bright(seen[0, 0]) == pytest.approx(expected, abs=1.5 / VIEW)


def test_offsets_by_hand() -> None:
    # a box twice as wide, whose left edge is where the middle box's is
    wide = np.array([[-0.5, -0.5, 1.5, 0.5]])
    assert offsets(wide, np.array([False])).tolist() == [[0, 0, -0.5, 0]]
    assert offsets(wide, np.array([True])).tolist() == [[0.5, 0, 0, 0]]


def test_offsets_lead_back_to_the_middle_box() -> None:
    rng = np.random.default_rng(51)
    boxes, mirrored = draw_boxes(500, rng), rng.random(500) < 0.5

    assert (boxes[:, 2:] > boxes[:, :2]).all()
    back = moved_by(boxes, offsets(boxes, mirrored), mirrored)
    np.testing.assert_allclose(back, np.tile(ITSELF, (500, 1)), atol=1e-12)


def test_a_network_that_has_learned_nothing_leaves_boxes_where_they_are() -> None:
    there, edges = seeded_net(1).eval()(torch.randn(2, 3, VIEW, VIEW))
    assert there.tolist() == [0, 0]
    assert edges.tolist() == [[0] * 4] * 2
