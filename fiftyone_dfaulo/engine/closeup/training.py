"""Learns from given boxes what an object looks like, and where its edges are.

The images are dealt over :data:`FOLDS` folds; a network that has learned from the
others looks at those of one, so that no box vouches for itself.

1. A network is shown what is around a given box, from another box that overlaps it, and
   is to tell where the edges of the given one are. Given boxes that are misplaced are
   no rule that it could learn, and an absolute error makes light of them.
2. As many boxes are put anywhere, where hardly any given one is; it is to tell these
   from given ones.

So do the second stages of detectors (Ren et al., "Faster R-CNN", NeurIPS 2015), here
with given boxes in place of proposals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.elsewhere import OVERLAP, misplace
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.boxes.probes import CloserLook, put_anywhere
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.closeup.network import VIEW, CloseNet, seeded_net
from fiftyone_dfaulo.engine.closeup.views import (
    ITSELF,
    Cutter,
    draw_boxes,
    moved_by,
    offsets,
    view,
)
from fiftyone_dfaulo.engine.device import (
    autocast,
    pick_device,
    repeatable,
    surroundings,
)
from fiftyone_dfaulo.engine.network.schedule import share_of_rate
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_when_busy, threads_for

FOLDS = 3
"""As many as detectors are trained on."""

PASSES = 30_000
"""So many views a network looks at while it learns; of more boxes, at each once. With
10,000, misplaced boxes of BCCD came in a worse order (AP .74 for .78), with 80,000 in
no better one."""

MOST = 15_000
"""Boxes of each kind that one network learns from, at most; it bounds the memory."""

BATCH, RATE, DECAY = 64, 2e-3, 1e-2

APART = 0.3
"""A box anywhere that overlaps a given one by less shows no object."""

_SMALL = 0.05  # sides; the error of an edge counts squared below, and as it is above
_THERE = 0.1  # how much it counts whether an object is there, beside where it is
_THINNEST = 0.01  # sides of a box; edges may have changed places
_LEARNING = 0.8  # share of the time that learning takes


class _Seen(NamedTuple):
    """Of boxes: the log-odds that an object is there, and where."""

    there: np.ndarray
    boxes: np.ndarray


@sharing_when_busy
def look_closer(
    pixels: np.ndarray,
    given: Boxes,
    *,
    settings: Settings,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> CloserLook:
    """What is seen at boxes, by networks that have learned from other images.

    Args:
        pixels: uint8 (I, S, S, 3), at least 2; may be a memmap.
        given: N boxes, at least 1, by position of the image.
        settings: seed and device.
        work: keeps what each network sees.
        report: called with the fraction done.
    """
    rng = np.random.default_rng(settings.seed)
    folds = rng.permutation(len(pixels)) % FOLDS
    empty = put_anywhere(given, np.arange(len(pixels)), rng)
    moved = given._replace(boxes=misplace(given.boxes, rng, *OVERLAP))
    every = (given, empty, moved)
    pairs = find_pairs(empty, given)
    nearest = np.zeros(len(empty.images))
    np.maximum.at(nearest, pairs.first, pairs.iou)
    cutter = Cutter(pixels)
    if work.kept:
        how = settings.seed, surroundings(pick_device(settings.device))
        work = work.as_kind("closeups").of(pixels, *given, how)
    there = [np.zeros(len(lot.images)) for lot in every]
    boxes = [lot.boxes.copy() for lot in every]
    count = min(FOLDS, len(pixels))
    for fold in range(count):

        def done(fraction: float, fold: int = fold) -> None:
            report((fold + fraction) / count)

        own = work.of("fold", fold)
        kept = own.load()
        if kept is None:
            found = _look_at(
                cutter, every, nearest < APART, folds, fold, settings, done
            )
            kept = {
                f"{name}{n}": part
                for n, seen in enumerate(found)
                for name, part in seen._asdict().items()
            }
            own.save(**kept)
        for n, lot in enumerate(every):
            rows = np.flatnonzero(folds[lot.images] == fold)
            there[n][rows], boxes[n][rows] = kept[f"there{n}"], kept[f"boxes{n}"]
        done(1.0)
    return CloserLook(there[0], boxes[0], empty, there[1], moved.boxes, boxes[2])


def _look_at(
    cutter: Cutter,
    every: tuple[Boxes, Boxes, Boxes],
    apart: np.ndarray,
    folds: np.ndarray,
    fold: int,
    settings: Settings,
    report: StageReport,
) -> list[_Seen]:
    """What a network sees in the images of a fold, of each lot of boxes, in order.

    It learns nothing from boxes of nothing that do not lie ``apart`` from given ones.
    """
    given, empty, _ = every
    rng = np.random.default_rng(settings.seed + fold)
    objects = _some(folds[given.images] != fold, rng)
    nothing = _some((folds[empty.images] != fold) & apart, rng)
    shown = np.concatenate(
        [cutter.cut(given.take(objects)), cutter.cut(empty.take(nothing))]
    )
    there = np.arange(len(shown)) < len(objects)
    device = pick_device(settings.device)
    net = _train(shown, there, rng, device, lambda done: report(_LEARNING * done))
    held = [lot.take(np.flatnonzero(folds[lot.images] == fold)) for lot in every]
    seen = []
    for n, lot in enumerate(held):
        seen.append(_look(net, cutter, lot, device))
        report(_LEARNING + (1 - _LEARNING) * (n + 1) / len(held))
    return seen


def _some(kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ascending positions of those kept, :data:`MOST` at most."""
    rows = np.flatnonzero(kept)
    return rows if len(rows) <= MOST else np.sort(rng.choice(rows, MOST, replace=False))


def _train(
    shown: np.ndarray,
    there: np.ndarray,
    rng: np.random.Generator,
    device: torch.device,
    report: StageReport,
) -> CloseNet:
    """A network that has learned from surroundings, in some of which an object is."""
    net = seeded_net(int(rng.integers(2**31)))
    net = net.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = max(PASSES, len(shown)) // BATCH
    queue = np.zeros(0, np.int64)
    for step in range(steps):
        while len(queue) < BATCH:
            queue = np.append(queue, rng.permutation(len(shown)))
        some, queue = queue[:BATCH], queue[BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = RATE * share_of_rate((step + 0.5) / steps)
        boxes, mirrored = draw_boxes(BATCH, rng), rng.random(BATCH) < 0.5
        right = torch.from_numpy(offsets(boxes, mirrored)).float().to(device)
        real = torch.from_numpy(there[some]).float().to(device)
        with threads_for(BATCH * VIEW**2, device), repeatable():
            around = torch.from_numpy(shown[some]).to(device)
            with autocast(device):
                odds, seen = net(view(around, boxes, mirrored))
            off = F.smooth_l1_loss(seen, right, reduction="none", beta=_SMALL).mean(1)
            loss = (off * real).sum() / real.sum().clamp(min=1)
            loss += _THERE * F.binary_cross_entropy_with_logits(odds, real)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        report((step + 1) / steps)
    return net.eval()


def _look(net: CloseNet, cutter: Cutter, lot: Boxes, device: torch.device) -> _Seen:
    """What is seen at boxes, as the mean of the view and its mirror image."""
    there, boxes = [np.zeros(0)], [np.zeros((0, 4))]
    for start in range(0, len(lot.images), 4 * BATCH):
        some = lot.take(np.arange(start, min(start + 4 * BATCH, len(lot.images))))
        itself = np.tile(ITSELF, (len(some.images), 1))
        around = torch.from_numpy(cutter.cut(some)).to(device)
        odds, edges = np.zeros(len(itself)), np.zeros_like(itself)
        for turned in (False, True):
            mirrored = np.full(len(itself), turned)
            with torch.inference_mode(), threads_for(len(itself) * VIEW**2, device):
                with autocast(device):
                    one, off = net(view(around, itself, mirrored))
                odds += one.double().cpu().numpy() / 2
                edges += moved_by(itself, off.double().cpu().numpy(), mirrored) / 2
        low, size = some.boxes[:, :2], some.boxes[:, 2:]
        corner = low + (0.5 + edges[:, :2]) * size
        sides = np.maximum(edges[:, 2:] - edges[:, :2], _THINNEST) * size
        there.append(odds)
        boxes.append(np.concatenate([corner, sides], 1))
    return _Seen(np.concatenate(there), np.concatenate(boxes))
