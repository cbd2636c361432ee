"""Trains the original model on the samples as they are, and runs it over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.device import (
    autocast,
    own_surroundings,
    pick_device,
    repeatable,
    surroundings,
)
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.network.architecture import seeded_network
from fiftyone_dfaulo.engine.network.trained import (
    Network,
    channels_last,
    most_moved,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_when_busy, threads_for

PEAK_RATE = 0.1  # learning rate at the peak, for batches of MAX_BATCH images
MAX_BATCH = 128
STEPS_PER_EPOCH = 40  # small datasets get smaller batches, down to MIN_BATCH
MIN_BATCH = 8
UP, DOWN = 1, 3  # epochs at a rising and at a falling rate, but a third at most


@sharing_when_busy
def train_network(
    pixels: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    settings: Settings,
    left_out: np.ndarray | None = None,
    work: Work = UNKEPT,
    executor: Executor = HERE,
    report: StageReport = silent_stage,
    after_epoch: Callable[[np.ndarray], None] = lambda logits: None,
) -> Network:
    """Trains a small residual network on samples with their labels as they are.

    One cycle of the learning rate: it rises to its peak over the first epoch, stays,
    and falls to zero over the last three (of fewer than nine epochs, over a third
    each). The epochs are few on purpose: with more, a network learns faulty labels by
    heart.

    Args:
        pixels: uint8 (N, S, S, 3), S from 8 to 64; may be a memmap.
        labels: int64 (N,), in 0..K-1; or bool (N, K), which tags each sample has. The
            logits are then the log-odds of each tag, whatever the others.
        num_classes: K.
        settings: seed, device and ``epochs``.
        left_out: bool (N,), samples that it is not trained on; None is none of them.
        work: keeps how it stands after each epoch, to go on from there.
        executor: has GPUs, maybe, where there is none here; then an epoch is done there
            after the other. How it stands comes back each time, so that nothing is
            lost. It is not spread: which images are in a batch decides what is learned.
        report: called with the fraction of epochs done.
        after_epoch: called after each epoch with the logits, float32 (N, K), that its
            steps computed (of moved images, in training mode); NaN for those left out.
            Not after those that were kept.
    """
    device = pick_device(settings.device)
    lesson = _Lesson(pixels, labels, num_classes, settings, left_out)
    trainer = _trainer(lesson)
    learning = trainer.network.learning
    away = device.type == "cpu" and settings.device is None and executor.has_gpu
    if work.kept:
        where = executor.everywhere(own_surroundings, None, gpu=True) if away else {}
        machines = sorted(set(map(repr, where.values())))
        how = settings.seed, settings.epochs, num_classes, surroundings(device)
        parts = pixels, labels, left_out, how, *([machines] if away else [])
        work = work.as_kind("networks").of(*parts)
    first = settings.epochs // 2  # before, it knows too little
    shared = executor.share(lesson) if away else None
    for epoch in range(trainer.go_on(work), settings.epochs):
        if shared is None:
            with threads_for(trainer.batch * pixels[0].size // 3, device):
                logits = trainer.go_through(epoch)
        else:
            part = _Epoch(epoch, trainer.state())
            (done,) = executor.each(_go_through, shared, [part], gpu=True)
            logits = done.logits
            trainer.take(done.state)
        if epoch >= first:
            learning += logits / (settings.epochs - first)
        trainer.keep(work, epoch + 1)
        after_epoch(logits)
        report((epoch + 1) / settings.epochs)
    trainer.network.module.eval()
    return trainer.network


class _Lesson(NamedTuple):
    """What a network is trained on: as of :func:`train_network`."""

    pixels: np.ndarray
    labels: np.ndarray
    num_classes: int
    settings: Settings
    left_out: np.ndarray | None


class _Epoch(NamedTuple):
    """An epoch, counted from 0, and how a training stands before it."""

    number: int
    state: dict[str, np.ndarray]


class _Done(NamedTuple):
    """What :meth:`_Trainer.go_through` gives, and how the training stands then."""

    logits: np.ndarray
    state: dict[str, np.ndarray]


def _go_through(lesson: _Lesson, epochs: Iterable[_Epoch]) -> Iterator[_Done]:
    """Epochs of a training, on this machine."""
    for epoch in epochs:
        trainer = _trainer(lesson)
        trainer.take(epoch.state)
        logits = trainer.go_through(epoch.number)
        yield _Done(logits, trainer.state())


def _trainer(lesson: _Lesson) -> _Trainer:
    """A training at its start."""
    pixels, labels, num_classes, settings, left_out = lesson
    device = pick_device(settings.device)
    module = seeded_network(num_classes, pixels.shape[1], settings.seed).to(device)
    module = module.to(memory_format=torch.channels_last)
    used = np.ones(len(labels), bool) if left_out is None else ~left_out
    samples = np.flatnonzero(used)
    mean, std = channel_statistics(pixels, samples)
    learning = np.zeros((len(labels), num_classes), np.float32)
    network = Network(module, mean.to(device), std.to(device), learning)
    return _Trainer(network, pixels, labels, samples, settings)


class _Trainer:
    """Steps of one training: the optimizer and the randomness it draws on."""

    def __init__(
        self,
        network: Network,
        pixels: np.ndarray,
        labels: np.ndarray,
        samples: np.ndarray,
        settings: Settings,
    ) -> None:
        self.network = network
        self.pixels = pixels
        self.samples = samples
        self.labels = torch.tensor(labels, device=network.device)
        self.seen = torch.full(network.learning.shape, torch.nan, device=network.device)
        self.epochs = settings.epochs
        self.rng = np.random.default_rng(settings.seed)
        self.batch = int(np.clip(len(samples) // STEPS_PER_EPOCH, MIN_BATCH, MAX_BATCH))
        self.peak = PEAK_RATE * self.batch / MAX_BATCH
        self.optimizer = torch.optim.SGD(
            network.module.parameters(),
            self.peak,
            momentum=0.9,
            nesterov=True,
            weight_decay=5e-4,
        )

    def state(self) -> dict[str, np.ndarray]:
        """How it stands."""
        return checkpoint.pack(self.network.module, self.optimizer, self.rng)

    def take(self, state: dict[str, np.ndarray]) -> None:
        """Goes to where another one stood."""
        checkpoint.unpack(state, self.network.module, self.optimizer, self.rng)

    def keep(self, work: Work, done: int) -> None:
        """Keeps how it stands after some epochs; after the last, the network alone."""
        if not work.kept:
            return
        unfinished = () if done == self.epochs else (self.optimizer, self.rng)
        state = checkpoint.pack(self.network.module, *unfinished)
        learning = self.network.learning[: None if done > self.epochs // 2 else 0]
        work.save(done=np.array(done), learning=learning, **state)

    def go_on(self, work: Work) -> int:
        """Goes to where an earlier run was; returns how many epochs it had done."""
        state = work.load()
        if state is None:
            return 0
        done = int(state["done"])
        unfinished = () if done == self.epochs else (self.optimizer, self.rng)
        checkpoint.unpack(state, self.network.module, *unfinished)
        self.network.learning[: len(state["learning"])] = state["learning"]
        work.tell(f"Epochs of training done by earlier runs: {done} of {self.epochs}.")
        return done

    def go_through(self, epoch: int) -> np.ndarray:
        """One pass over the samples; ``epoch`` counts from 0.

        Returns:
            float32 (N, K), the logits that the steps computed; NaN for other samples.
        """
        network = self.network
        network.module.train()
        shuffled = self.rng.permutation(self.samples)
        steps = max(len(shuffled) // self.batch, 1)
        for step, chunk in enumerate(np.array_split(shuffled, steps)):
            done = epoch + (step + 0.5) / steps
            for group in self.optimizer.param_groups:
                group["lr"] = self.peak * _share(done, self.epochs)
            images = network.normalise(torch.from_numpy(self.pixels[chunk]))
            images = channels_last(_shift(images, self.rng))
            positions = torch.from_numpy(chunk).to(network.device)
            with repeatable():
                with autocast(network.device):
                    logits = network.module(images).float()
                loss = _loss(logits, self.labels[positions])
                self.optimizer.zero_grad()
                loss.backward()
            self.optimizer.step()
            self.seen[positions] = logits.detach()
        return self.seen.to("cpu", copy=True).numpy()


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.ndim == 2:  # tags, each a question of its own
        each = F.binary_cross_entropy_with_logits(
            logits, labels.float(), reduction="none"
        )
        return each.sum(1).mean()
    return F.cross_entropy(logits, labels)


def _share(done: float, epochs: int) -> float:
    """Share of the peak rate after a number of epochs, of ``epochs`` in all."""
    up, down = min(epochs / 3, UP), min(epochs / 3, DOWN)
    return float(
        np.interp(done, [0.0, up, epochs - down, epochs], [0.0, 1.0, 1.0, 0.0])
    )


def channel_statistics(
    pixels: np.ndarray, samples: np.ndarray, most: int = 1024
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by channel, of an evenly spaced part of samples."""
    part = pixels[samples[:: -(-len(samples) // most)]].astype(np.float32)
    mean = torch.from_numpy(part.mean((0, 1, 2)))
    std = torch.from_numpy(part.std((0, 1, 2)))
    return mean, std.clamp(min=1.0)  # blank images have no spread


def _shift(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Moves every image by up to a sixteenth of its side, its edge mirrored.

    No flips and no colours: to some labels (letters, signs) they are the meaning.
    """
    count, channels, side, _ = images.shape
    most = most_moved(images)
    moves = torch.from_numpy(rng.integers(0, 2 * most + 1, (2, count, 1)))
    rows, columns = (moves + torch.arange(side)).to(images.device)
    padded = F.pad(images, [most] * 4, mode="reflect")
    picture = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[picture, channel, rows[:, None, :, None], columns[:, None, None, :]]
