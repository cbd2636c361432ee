"""Trains detectors on given boxes, each without the images that it then looks at.

The images are dealt over :data:`FOLDS` folds. What a fold's objects are is said by a
detector that was trained on the other folds alone, so that no box vouches for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Pace, Work
from fiftyone_dfaulo.engine.detector.lessons import Lesson, draw, loss
from fiftyone_dfaulo.engine.detector.moves import Moves, draw_moves, move
from fiftyone_dfaulo.engine.detector.network import (
    LARGEST_STRIDE,
    RARE,
    STRIDE,
    CentreNet,
    seeded_detector,
)
from fiftyone_dfaulo.engine.device import (
    autocast,
    pick_device,
    repeatable,
    surroundings,
)
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.network.schedule import share_of_rate
from fiftyone_dfaulo.engine.network.training import channel_statistics
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_when_busy, threads_for

FOLDS = 3

SMALLEST, LARGEST = 64, 320
"""Sides of images, in pixels."""

SMALL_OBJECT = 16
"""Pixels that a small object's side shall have: four cells."""

PASSES = 4_000
"""So many images a detector looks at while it learns; of more, at each once. Chosen by
what they cost, about 0.1 s each on one core at the largest side, not by what is found.
"""

BATCH, RATE, DECAY = 8, 2e-3, 1e-2
_STEEPEST = 10.0  # gradients are cut to this norm
_FOR_STATISTICS = 64  # images whose colours are looked at; it bounds the memory
_LEARNING = 0.9  # share of the time that learning takes

_Seen: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of predictions: the image, the box and the confidence."""

LEAST = RARE
"""Predictions are at least as sure as a network that has learned nothing."""

SHARE = 1.5
"""At most so many predictions are kept for each given box, the surest ones: a third of
all objects may be missing. How sure a detector is depends on how much it has learned,
so that no confidence would do."""


def choose_side(boxes: np.ndarray) -> int:
    """The side of images at which small objects are large enough.

    An object is small if one in twenty is smaller: they may be a class of their own.

    Args:
        boxes: float (N, 4), left, top, width and height, fractions of the image.
    """
    sizes = np.sqrt(boxes[:, 2] * boxes[:, 3])
    side = SMALL_OBJECT / float(np.quantile(sizes, 0.05))
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


@sharing_when_busy
def detect_out_of_sample(
    pixels: np.ndarray,
    given: Boxes,
    *,
    settings: Settings,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> Detected:
    """What detectors see in images that they were not trained on.

    Args:
        pixels: uint8 (N, S, S, 3), at least 2, S a multiple of 32; may be a memmap.
        given: their boxes, by position of the image; images without any are empty.
        settings: seed and device.
        work: keeps what each detector sees, and how one that learns stands.
        report: called with the fraction done.
    """
    rng = np.random.default_rng(settings.seed)
    folds = rng.permutation(len(pixels)) % FOLDS
    parts: list[_Seen] = []
    count = min(FOLDS, len(pixels))
    if work.kept:
        how = settings.seed, surroundings(pick_device(settings.device))
        work = work.as_kind("detectors").of(pixels, *given, how)
    earlier = 0
    for fold in range(count):

        def learned(fraction: float, fold: int = fold) -> None:
            report((fold + _LEARNING * fraction) / count)

        def looked(fraction: float, fold: int = fold) -> None:
            report((fold + _LEARNING + (1 - _LEARNING) * fraction) / count)

        own = work.of("fold", fold)
        seen = own.load()
        if seen is not None:
            parts.append((seen["images"], seen["boxes"], seen["confidence"]))
            earlier += 1
            report((fold + 1) / count)
            continue
        rest, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        seed = settings.seed + fold
        state = own.of("training")
        detector = _train(pixels, given, rest, settings.device, seed, state, learned)
        found = [np.concatenate(x) for x in zip(*detector.look(pixels, held, looked))]
        own.save(**dict(zip(("images", "boxes", "confidence"), found, strict=True)))
        state.remove()
        parts.append((found[0], found[1], found[2]))
    if earlier:
        work.tell(f"Detectors trained by earlier runs: {earlier} of {count}.")
    images, boxes, confidence = (np.concatenate(some) for some in zip(*parts))
    surest = np.argsort(-confidence, kind="stable")[: int(SHARE * len(given.images))]
    order = surest[np.argsort(images[surest], kind="stable")]
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
        self, pixels: np.ndarray, rows: np.ndarray, report: StageReport
    ) -> list[_Seen]:
        """The predictions of the images at some rows, image by image.

        They are the mean of what is seen in the image and in its mirror image (Law and
        Deng, "CornerNet", ECCV 2018, look at both as well).
        """
        self.module.eval()
        parts: list[_Seen] = []
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            device = self.mean.device
            with torch.inference_mode(), threads_for(pixels[some].size // 3, device):
                images = self.normalise(pixels[some])
                with autocast(device):
                    heat, edges = self.module(images)
                    other, turned = self.module(images.flip(-1))
                # in the mirror, the left edge is the right one
                turned = turned.flip(-1)[:, [2, 1, 0, 3]]
                both = heat.sigmoid() + other.flip(-1).sigmoid(), edges + turned
                seen = zip(some, *((each / 2).cpu() for each in both))
            for row, heat, edges in seen:
                boxes, sure = _peaks(heat, edges)
                parts.append((np.full(len(sure), row), boxes, sure))
            report((start + len(some)) / len(rows))
        return parts


def _peaks(heat: Tensor, distances: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (M, 4) and confidence (M,) of an image: the peaks of its heat map."""
    cells = len(heat)
    around = F.max_pool2d(heat[None], 3, stride=1, padding=1)[0]
    peak = (heat == around) & (heat >= LEAST)
    rows, columns = (one.numpy() for one in peak.nonzero(as_tuple=True))
    sure, edges = heat[peak].double().numpy(), distances[:, peak].double().numpy()
    low = np.column_stack([columns + 0.5 - edges[0], rows + 0.5 - edges[1]])
    high = np.column_stack([columns + 0.5 + edges[2], rows + 0.5 + edges[3]])
    low, high = np.clip(low / cells, 0, 1), np.clip(high / cells, 0, 1)
    boxes = np.column_stack([low, high - low])
    kept = (boxes[:, 2:] > 0).all(1)
    return boxes[kept], sure[kept]


def _train(
    pixels: np.ndarray,
    given: Boxes,
    rows: np.ndarray,
    device_name: str | None,
    seed: int,
    work: Work,
    report: StageReport,
) -> _Detector:
    """A detector trained on the images at some rows; from where an earlier run was."""
    device = pick_device(device_name)
    module = seeded_detector(seed).to(device).to(memory_format=torch.channels_last)
    mean, std = channel_statistics(pixels, rows, most=_FOR_STATISTICS)
    detector = _Detector(module, mean.to(device), std.to(device))
    lessons = _Lessons(given, len(pixels), pixels.shape[1] // STRIDE)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(module.parameters(), RATE, weight_decay=DECAY)
    batch = min(BATCH, len(rows))
    steps = max(PASSES, len(rows)) // batch
    queue = np.zeros(0, np.int64)
    module.train()
    first, pace = 0, Pace()
    state = work.load()
    if state is not None:
        checkpoint.unpack(state, module, optimizer, rng)
        first, queue = int(state["done"]), np.array(state["queue"])
        work.tell(f"A detector had learned for {first} of {steps} steps before.")
    for step in range(first, steps):
        while len(queue) < batch:
            queue = np.append(queue, rng.permutation(rows))
        some, queue = queue[:batch], queue[batch:]
        for group in optimizer.param_groups:
            group["lr"] = RATE * share_of_rate((step + 0.5) / steps)
        moves = draw_moves(batch, rng)
        lesson = lessons.of(some, moves, device)
        with threads_for(pixels[some].size // 3, device), repeatable():
            images = move(detector.normalise(pixels[some]), moves)
            with autocast(device):
                log_odds, distances = module(images)
            optimizer.zero_grad()
            loss(log_odds, distances, lesson).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), _STEEPEST)
            optimizer.step()
        if work.kept and pace.due():
            with pace:
                kept = checkpoint.pack(module, optimizer, rng)
                work.save(done=np.array(step + 1), queue=queue, **kept)
        report((step + 1) / steps)
    return detector


class _Lessons:
    """What is to be seen in images that are moved.

    Args:
        given: boxes, by position of the image.
        count: how many images there are.
        cells: of a side.
    """

    def __init__(self, given: Boxes, count: int, cells: int) -> None:
        order = np.argsort(given.images, kind="stable")
        self._starts = np.searchsorted(given.images[order], np.arange(count + 1))
        boxes = given.boxes[order]
        self._corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
        self._cells = cells

    def of(self, rows: np.ndarray, moves: Moves, device: torch.device) -> Lesson:
        """The lessons of the images at some rows, stacked."""
        drawn = []
        for row, scale, shift in zip(rows, *moves):
            mine = self._corners[self._starts[row] : self._starts[row + 1]]
            moved = mine * scale + shift
            corners = np.concatenate([moved.min(1), moved.max(1)], 1)
            boxes = torch.from_numpy(corners.astype(np.float32))
            drawn.append(draw(boxes, self._cells))
        return Lesson(*(torch.stack(parts).to(device) for parts in zip(*drawn)))
