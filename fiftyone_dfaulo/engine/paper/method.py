"""The paper's method, step by step (``method="paper"``).

Yin et al., "Dynamic Data Fault Localization for Deep Neural Networks", ESEC/FSE 2023,
doi 10.1145/3611643.3616345. Its steps, and where they are:

1. original model: a network trained on all samples; the caller brings it
2. three subsets, class by class: :mod:`.subsets`
3. three mutants, each trained further without one subset: :func:`train_mutant`
4. 5K + 7 features of each sample: :mod:`.features`
5. initial suspiciousness: :func:`.suspiciousness.initial_suspiciousness`
6. update from feedback: :func:`.suspiciousness.update`

N is the number of samples, K of classes, D the size of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.device import autocast, repeatable, surroundings
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.paper.features import (
    MUTANTS,
    feature_names,
    noise_features,
    sample_features,
)
from fiftyone_dfaulo.engine.paper.subsets import (
    high_loss,
    input_outliers,
    unusual_activations,
)
from fiftyone_dfaulo.engine.paper.suspiciousness import (
    draw_trusted,
    initial_suspiciousness,
)
from fiftyone_dfaulo.engine.paper.vae import reconstruction_errors
from fiftyone_dfaulo.engine.progress import StageReport, Stages, silent_stage
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.engine.threads import (
    one_blas_thread,
    sharing_when_busy,
    threads_for,
)

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.network.trained import Network

RATIO = 0.05
"""Share of each class that is an input outlier, and that has high loss."""

MUTANT_EPOCHS = 10
MUTANT_BATCH = 64
LEARNING_RATE = 1e-3
MOMENTUM = 0.9

_WEIGHTS = {"outputs": 1.0, "subsets": 9.0, **dict.fromkeys(MUTANTS, 30.0)}
"""Rough shares of the time that the steps take."""


@sharing_when_busy
@one_blas_thread
def score(
    pixels: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    network: Network,
    settings: Settings,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> Scores:
    """Scores labelled images as the paper does, before any feedback (steps 2 to 5).

    Args:
        pixels: uint8 (N, H, W, 3), RGB; may be a memory map.
        labels: int64 (N,), in [0, K); classes may be tiny or missing.
        num_classes: K, at least 2.
        network: the original model, trained on these samples; it is not changed.
        settings: gives the seed and the batch size of forward passes.
        work: keeps the errors of step 2, and mutants as they are after each epoch.
        report: called with the fraction done, through every step.

    Returns:
        The scores; the signals are the features that
        :func:`.suspiciousness.update` takes.
    """
    rng = np.random.default_rng(settings.seed)
    steps = Stages(_WEIGHTS, lambda _, fraction: report(fraction))
    size = settings.batch_size
    own = work
    if work.kept:
        weights = checkpoint.pack(network.module)
        prepared = [one.cpu().numpy() for one in (network.mean, network.std)]
        how = settings.seed, surroundings(network.device)
        own = work.as_kind("paper").of(pixels, labels, weights, prepared, how)
    with steps.stage("outputs") as progress:
        embeddings, original = network.outputs(
            pixels, batch_size=size, work=work, report=progress
        )
    with steps.stage("subsets") as progress:
        generator = torch.Generator().manual_seed(_seed(rng))
        errors = _kept_errors(pixels, labels, generator, network.device, own, progress)
    outliers = input_outliers(errors, labels, RATIO)
    unusual = unusual_activations(embeddings, labels, _seed(rng))
    flags = np.stack([outliers, unusual, high_loss(original, labels, RATIO)], axis=1)

    noise = rng.integers(256, size=(1, *pixels.shape[1:]), dtype=np.uint8)
    logits = [original]
    noise_logits = [network.outputs(noise, batch_size=1)[1]]
    for name, left_out in zip(MUTANTS, flags.T):
        with steps.stage(name) as progress:
            mutant = train_mutant(
                network,
                pixels,
                labels,
                left_out,
                seed=_seed(rng),
                work=own,
                report=progress,
            )
            logits.append(mutant.outputs(pixels, batch_size=size, work=work)[1])
            noise_logits.append(mutant.outputs(noise, batch_size=1)[1])

    rows = sample_features(logits, labels, flags)
    noise_rows = noise_features(noise_logits, num_classes)
    suspiciousness = initial_suspiciousness(rows, draw_trusted(labels, rng), noise_rows)
    return _scores(suspiciousness, logits[1:], labels, flags, rows)


def _kept_errors(
    pixels: np.ndarray,
    labels: np.ndarray,
    generator: torch.Generator,
    device: torch.device,
    work: Work,
    report: StageReport,
) -> np.ndarray:
    """:func:`.vae.reconstruction_errors`, if they are not kept."""
    own = work.of("errors")
    kept = own.load()
    if kept is not None:
        report(1.0)
        return kept["errors"]
    errors = reconstruction_errors(
        pixels, labels, generator=generator, device=device, report=report
    )
    own.save(errors=errors)
    return errors


# Step 3: three mutants


@sharing_when_busy
def train_mutant(
    network: Network,
    pixels: np.ndarray,
    labels: np.ndarray,
    left_out: np.ndarray,
    *,
    seed: int,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> Network:
    """Trains a copy of the original model further, without a subset.

    Args:
        network: the original model; it is not changed.
        pixels: uint8 (N, H, W, 3).
        labels: int64 (N,).
        left_out: bool (N,), the subset; it may be empty.
        seed: of the order of samples.
        work: keeps how it stands after each epoch, to go on from there; decided by all
            but the subset and the seed.
        report: called with the fraction done, after each epoch.

    Returns:
        The mutant; the original again if fewer than two samples are left to train on.
    """
    mutant = deepcopy(network)
    kept = np.flatnonzero(~left_out)
    optimizer = torch.optim.SGD(
        mutant.module.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM
    )
    generator = torch.Generator().manual_seed(seed)
    mutant.module.train()
    own = work.of("mutant", left_out, seed)
    first, state = 0, own.load()
    if state is not None:
        checkpoint.unpack(state, mutant.module, optimizer)
        generator.set_state(torch.from_numpy(state["order"].copy()))
        first = int(state["done"])
        work.tell(f"A mutant had been trained for {first} of {MUTANT_EPOCHS} epochs.")
    for epoch in range(first, MUTANT_EPOCHS if len(kept) > 1 else 0):
        order = kept[torch.randperm(len(kept), generator=generator).numpy()]
        # A last batch of one joins the one before: batch normalisation needs two.
        batches = np.split(order, range(MUTANT_BATCH, len(order) - 1, MUTANT_BATCH))
        with threads_for(MUTANT_BATCH * pixels[0].size // 3, mutant.device):
            for batch in batches:
                images = mutant.normalise(torch.from_numpy(pixels[batch]))
                targets = torch.from_numpy(labels[batch]).to(mutant.device)
                with repeatable():
                    with autocast(mutant.device):
                        logits = mutant.module(images)
                    optimizer.zero_grad()
                    cross_entropy(logits.float(), targets).backward()
                optimizer.step()
        if own.kept:
            stands = checkpoint.pack(mutant.module, optimizer)
            order_state = generator.get_state().numpy()
            own.save(done=np.array(epoch + 1), order=order_state, **stands)
        report((epoch + 1) / MUTANT_EPOCHS)
    mutant.module.eval()
    return mutant


# The result


def _scores(
    suspiciousness: np.ndarray,
    mutant_logits: Sequence[np.ndarray],
    labels: np.ndarray,
    flags: np.ndarray,
    rows: np.ndarray,
) -> Scores:
    seen = np.mean([signals.softmax(each) for each in mutant_logits], axis=0)
    suggestion = seen.argmax(axis=1)
    suspicious = suspiciousness > 0.5
    input_flag, _, loss_flag = flags.T
    # In the order of REASONS; the paper does not look for duplicates.
    no_duplicate = np.zeros(len(labels), bool)
    reasons = np.stack(
        [suggestion != labels, input_flag, loss_flag, no_duplicate], axis=1
    )
    return Scores(
        suspiciousness=suspiciousness,
        suggestion=suggestion,
        confidence=seen.max(axis=1).astype(np.float32),
        reasons=reasons & suspicious[:, None],
        signals=rows,
        signal_names=feature_names(seen.shape[1]),
        near_duplicate_of=np.full(len(labels), -1),
        estimated_faults=int(suspicious.sum()),
        notes=_notes(labels),
    )


def _notes(labels: np.ndarray) -> tuple[str, ...]:
    sizes = np.unique(labels, return_counts=True)[1]
    notes = []
    if alone := int((sizes == 1).sum()):
        notes.append(
            f"Classes with only one sample: {alone}. Such a sample is compared with "
            "no other of its class; read its score with care."
        )
    if small := int((sizes * RATIO < 1).sum()):
        notes.append(
            f"Classes with fewer than {round(1 / RATIO)} samples: {small}. The paper's "
            "method takes no input outliers and no high losses from them."
        )
    return tuple(notes)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))
