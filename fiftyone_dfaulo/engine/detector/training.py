"""Trains detectors on given boxes, each without the images that it then looks at.

The images are dealt over :data:`FOLDS` folds. What a fold's objects are is said by a
detector that was trained on the other folds alone, so that no box vouches for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.detector.lessons import Lesson, draw, loss
from fiftyone_dfaulo.engine.detector.network import (
    LARGEST_STRIDE,
    CentreNet,
    seeded_detector,
)
from fiftyone_dfaulo.engine.device import autocast, pick_device, repeatable
from fiftyone_dfaulo.engine.network.training import channel_statistics
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_cores, threads_for

FOLDS = 3
SMALLEST, LARGEST = 64, 320
"""Sides of images, in pixels."""
SMALL_OBJECT = 16
"""Pixels of a small object's side: four cells."""
PASSES, EPOCHS = 6_000, 4
"""How many images a detector looks at while it learns: so many, or each so often."""
BATCH, RATE, DECAY = 8, 2e-3, 1e-2
WARM_UP = 0.1  # share of the steps at a rising rate; it falls afterwards
MOST = 300  # predictions of an image
LEAST = 0.05  # confidence


def choose_side(boxes: np.ndarray) -> int:
    """The side of images at which a small object, the tenth part, is large enough.

    Args:
        boxes: float (N, 4), left, top, width and height, fractions of the image.
    """
    sizes = np.sqrt(boxes[:, 2] * boxes[:, 3])
    side = SMALL_OBJECT / float(np.quantile(sizes, 0.1))
    steps = int(np.ceil(np.clip(side, SMALLEST, LARGEST) / LARGEST_STRIDE))
    return steps * LARGEST_STRIDE


@dataclass(frozen=True)
class Detected:
    """M predictions.

    Attributes:
        boxes: where they are, by position of the image.
        confidence: float64 (M,), in [0, 1].
    """

    boxes: Boxes
    confidence: np.ndarray


@sharing_cores
def detect_out_of_sample(
    pixels: np.ndarray,
    given: Boxes,
    *,
    settings: Settings,
    report: StageReport = silent_stage,
) -> Detected:
    """What detectors see in images that they were not trained on.

    Args:
        pixels: uint8 (N, S, S, 3), at least 2, S a multiple of 32; may be a memmap.
        given: their boxes, by position of the image; images without any are empty.
        settings: seed and device.
        report: called with the fraction done.
    """
    rng = np.random.default_rng(settings.seed)
    folds = rng.permutation(len(pixels)) % FOLDS
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = min(FOLDS, len(pixels))
    for fold in range(count):

        def part(fraction: float, fold: int = fold) -> None:
            report((fold + fraction) / count)

        rest, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        detector = _train(pixels, given, rest, settings, settings.seed + fold, part)
        parts += detector.look(pixels, held)
    images, boxes, confidence = (np.concatenate(some) for some in zip(*parts))
    order = np.lexsort((-confidence, images))
    return Detected(Boxes(images[order], boxes[order]), confidence[order])


@dataclass(frozen=True)
class _Detector:
    module: CentreNet
    mean: Tensor
    std: Tensor

    def normalise(self, pixels: np.ndarray) -> Tensor:
        """uint8 (B, S, S, 3) as the network's input."""
        images = torch.from_numpy(pixels).to(self.mean.device).float()
        return ((images - self.mean) / self.std).permute(0, 3, 1, 2)

    def look(
        self, pixels: np.ndarray, rows: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Image, box and confidence of the predictions, some images at a time."""
        self.module.eval()
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            with (
                torch.inference_mode(),
                threads_for(pixels[some].size // 3, self.mean.device),
                autocast(self.mean.device),
            ):
                log_odds, distances = self.module(self.normalise(pixels[some]))
                for row, heat, edges in zip(some, log_odds.sigmoid(), distances):
                    boxes, sure = _peaks(heat, edges)
                    yield np.full(len(sure), row), boxes, sure


def _peaks(heat: Tensor, distances: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (M, 4) and confidence (M,) of an image: the peaks of its heat map."""
    cells = len(heat)
    around = F.max_pool2d(heat[None], 3, stride=1, padding=1)[0]
    peak = (heat == around) & (heat >= LEAST)
    rows, columns = (one.cpu().numpy() for one in peak.nonzero(as_tuple=True))
    sure = heat[peak].double().cpu().numpy()
    edges = distances[:, peak].double().cpu().numpy()
    low = np.column_stack([columns + 0.5 - edges[0], rows + 0.5 - edges[1]])
    high = np.column_stack([columns + 0.5 + edges[2], rows + 0.5 + edges[3]])
    low, high = np.clip(low / cells, 0, 1), np.clip(high / cells, 0, 1)
    boxes = np.column_stack([low, high - low])
    kept = np.flatnonzero((boxes[:, 2:] > 0).all(1))
    kept = kept[np.argsort(-sure[kept], kind="stable")][:MOST]
    return boxes[kept], sure[kept]


def _train(
    pixels: np.ndarray,
    given: Boxes,
    rows: np.ndarray,
    settings: Settings,
    seed: int,
    report: StageReport,
) -> _Detector:
    """A detector trained on the images at some rows."""
    device = pick_device(settings.device)
    module = seeded_detector(seed).to(device).to(memory_format=torch.channels_last)
    mean, std = channel_statistics(pixels, rows)
    detector = _Detector(module, mean.to(device), std.to(device))
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(module.parameters(), RATE, weight_decay=DECAY)
    order = np.argsort(given.images, kind="stable")
    bounds = np.searchsorted(given.images[order], np.arange(len(pixels) + 1))
    corners = np.column_stack(
        [given.boxes[:, :2], given.boxes[:, :2] + given.boxes[:, 2:]]
    ).astype(np.float32)
    batch = min(BATCH, len(rows))
    steps = max(PASSES, EPOCHS * len(rows)) // batch
    queue = np.zeros(0, np.int64)
    module.train()
    for step in range(steps):
        while len(queue) < batch:
            queue = np.append(queue, rng.permutation(rows))
        some, queue = queue[:batch], queue[batch:]
        rate = min(step / (WARM_UP * steps), (steps - step) / ((1 - WARM_UP) * steps))
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        images, moves = _move(detector.normalise(pixels[some]), rng)
        cells = images.shape[-1] // 4
        lessons = []
        for row, (scale, shift) in zip(some, moves):
            mine = corners[order[bounds[row] : bounds[row + 1]]].reshape(-1, 2, 2)
            moved = torch.from_numpy((mine * scale + shift).astype(np.float32))
            moved = torch.stack([moved.amin(1), moved.amax(1)], 1)
            lessons.append(draw(moved.reshape(-1, 4).to(device), cells))
        lesson = Lesson(*(torch.stack(parts) for parts in zip(*lessons)))
        with threads_for(images.numel() // 3, device), repeatable():
            with autocast(device):
                log_odds, distances = module(images)
            error = loss(log_odds, distances, lesson)
            optimizer.zero_grad()
            error.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 10.0)
        optimizer.step()
        report((step + 1) / steps)
    return detector


def _move(
    images: Tensor, rng: np.random.Generator
) -> tuple[Tensor, list[tuple[np.ndarray, np.ndarray]]]:
    """Mirrors, scales and shifts each image at random.

    Returns:
        the images; and for each the scale and shift (x, y) that points, fractions of
        the image, were moved by.
    """
    count = len(images)
    scale = np.exp(rng.uniform(-0.25, 0.25, (count, 2)))
    scale[:, 0] *= rng.choice([-1.0, 1.0], count)
    shift = 0.5 - 0.5 * scale + rng.uniform(-0.1, 0.1, (count, 2))
    # grid_sample asks where each new point comes from, from -1 to 1
    back = np.zeros((count, 2, 3), np.float32)
    back[:, [0, 1], [0, 1]] = 1 / scale
    back[:, :, 2] = (1 - 2 * shift - scale) / scale + 0 * scale
    back[:, :, 2] = 2 * (0 - shift) / scale + 1 / scale - 1
    theta = torch.from_numpy(back).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, align_corners=False)
    moved = moved.contiguous(memory_format=torch.channels_last)
    return moved, list(zip(scale, shift))
