"""The paper's method, step by step (``method="paper"``).

Yin et al., "Dynamic Data Fault Localization for Deep Neural Networks", ESEC/FSE 2023,
doi 10.1145/3611643.3616345. Its steps, and where they are:

1. original model: a network trained on all samples; the caller brings it
2. three subsets, class by class: :mod:`.subsets`
3. three mutants, each trained further without one subset: :func:`train_mutant`
4. 5K + 7 features of each sample: :func:`features`
5. initial suspiciousness: :func:`draw_trusted`, :func:`initial_suspiciousness`
6. update from feedback: :func:`update`

N is the number of samples, K of classes, D the size of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.device import autocast, repeatable
from fiftyone_dfaulo.engine.paper.subsets import (
    double_softmax_loss,
    high_loss,
    input_outliers,
    rank_in_class,
    unusual_activations,
)
from fiftyone_dfaulo.engine.paper.vae import reconstruction_errors
from fiftyone_dfaulo.engine.progress import StageReport, Stages, silent_stage
from fiftyone_dfaulo.engine.scores import Scores

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.network.training import Network

RATIO = 0.05
"""Share of each class that is an input outlier, and that has high loss."""

MUTANTS = ("input", "activation", "loss")
"""The three subsets and the mutants trained without them, in the order of columns."""

MUTANT_EPOCHS = 10
MUTANT_BATCH = 64
LEARNING_RATE = 1e-3
MOMENTUM = 0.9

TRUSTED_PER_CLASS = 10
"""Samples of each class that the initial regression takes to be correct."""

_WEIGHTS = {"outputs": 1.0, "subsets": 9.0, **dict.fromkeys(MUTANTS, 30.0)}
"""Rough shares of the time that the steps take."""


def score(
    pixels: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    network: Network,
    settings: Settings,
    report: StageReport = silent_stage,
) -> Scores:
    """Scores labelled images as the paper does, before any feedback (steps 2 to 5).

    Args:
        pixels: uint8 (N, H, W, 3), RGB; may be a memory map.
        labels: int64 (N,), in [0, K); classes may be tiny or missing.
        num_classes: K, at least 2.
        network: the original model, trained on these samples; it is not changed.
        settings: gives the seed and the batch size of forward passes.
        report: told the fraction done, through every step.

    Returns:
        The scores; the signals are the features that :func:`update` takes.
    """
    rng = np.random.default_rng(settings.seed)
    steps = Stages(_WEIGHTS, lambda _, fraction: report(fraction))
    size = settings.batch_size
    with steps.stage("outputs") as progress:
        embeddings, original = network.outputs(pixels, batch_size=size, report=progress)
    with steps.stage("subsets") as progress:
        generator = torch.Generator().manual_seed(_seed(rng))
        errors = reconstruction_errors(
            pixels, labels, generator=generator, device=network.device, report=progress
        )
    outliers = input_outliers(errors, labels, RATIO)
    unusual = unusual_activations(embeddings, labels, _seed(rng))
    flags = np.stack([outliers, unusual, high_loss(original, labels, RATIO)], axis=1)

    noise = rng.integers(256, size=(1, *pixels.shape[1:]), dtype=np.uint8)
    logits = [original]
    noise_logits = [network.outputs(noise, batch_size=1)[1]]
    for name, left_out in zip(MUTANTS, flags.T):
        with steps.stage(name) as progress:
            mutant = train_mutant(
                network, pixels, labels, left_out, seed=_seed(rng), report=progress
            )
            logits.append(mutant.outputs(pixels, batch_size=size)[1])
            noise_logits.append(mutant.outputs(noise, batch_size=1)[1])

    rows = features(logits, labels, flags)
    noise_rows = noise_features(noise_logits, num_classes)
    suspiciousness = initial_suspiciousness(rows, draw_trusted(labels, rng), noise_rows)
    return _scores(suspiciousness, logits[1:], labels, flags, rows)


# Step 3: three mutants


def train_mutant(
    network: Network,
    pixels: np.ndarray,
    labels: np.ndarray,
    left_out: np.ndarray,
    *,
    seed: int,
    report: StageReport = silent_stage,
) -> Network:
    """Trains a copy of the original model further, without a subset.

    Args:
        network: the original model; it is not changed.
        pixels: uint8 (N, H, W, 3).
        labels: int64 (N,).
        left_out: bool (N,), the subset; it may be empty.
        seed: of the order of samples.
        report: told the fraction done, after each epoch.

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
    for epoch in range(MUTANT_EPOCHS if len(kept) > 1 else 0):
        order = kept[torch.randperm(len(kept), generator=generator).numpy()]
        # A last batch of one joins the one before: batch normalisation needs two.
        for batch in np.split(order, range(MUTANT_BATCH, len(order) - 1, MUTANT_BATCH)):
            images = mutant.normalise(torch.from_numpy(pixels[batch]))
            targets = torch.from_numpy(labels[batch]).to(mutant.device)
            with repeatable():
                with autocast(mutant.device):
                    logits = mutant.module(images)
                optimizer.zero_grad()
                cross_entropy(logits.float(), targets).backward()
            optimizer.step()
        report((epoch + 1) / MUTANT_EPOCHS)
    mutant.module.eval()
    return mutant


# Step 4: features


def features(
    logits: Sequence[np.ndarray], labels: np.ndarray, flags: np.ndarray
) -> np.ndarray:
    """The 5K + 7 features of each sample.

    Args:
        logits: four float (N, K): of the original, the input-, the activation- and
            the loss-mutant.
        labels: int64 (N,), in [0, K).
        flags: bool (N, 3); which subsets a sample is in, in the order of the mutants.

    Returns:
        float32 (N, 5K + 7), in the order of :func:`feature_names`.
    """
    original, *mutants = (signals.softmax(each) for each in logits)
    losses = [double_softmax_loss(each, labels) for each in logits]
    one_hot = np.eye(original.shape[1], dtype=np.float32)[labels]
    columns = [original, one_hot, *mutants, flags, np.stack(losses, axis=1)]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def feature_names(num_classes: int) -> tuple[str, ...]:
    """The names of the 5K + 7 features, in the order of their columns."""
    blocks = ("softmax", "label", *(f"{name}_softmax" for name in MUTANTS))
    return (
        *(f"{block}[{k}]" for block in blocks for k in range(num_classes)),
        *(f"{name}_flag" for name in MUTANTS),
        "loss",
        *(f"{name}_loss" for name in MUTANTS),
    )


def noise_features(logits: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """Of one image, four logits (1, K), claimed to be each class in turn: (K, 5K + 7).

    All its flags are set.
    """
    return features(
        [np.repeat(each, num_classes, axis=0) for each in logits],
        np.arange(num_classes),
        np.ones((num_classes, len(MUTANTS)), dtype=bool),
    )


# Step 5: initial suspiciousness


def draw_trusted(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ten random samples of each class, or all of a class that has fewer.

    Returns:
        int64 (T,), their positions in ``labels``, ascending.
    """
    rank = rank_in_class(rng.random(len(labels)), labels)
    return np.flatnonzero(rank < TRUSTED_PER_CLASS)


def initial_suspiciousness(
    features: np.ndarray, trusted: np.ndarray, noise_features: np.ndarray
) -> np.ndarray:
    """How much a sample resembles noise rather than the samples that are trusted.

    Args:
        features: float32 (N, F).
        trusted: int64 (T,), positions of samples taken to be correct.
        noise_features: float32 (K, F), the rows taken to be faults.

    Returns:
        float64 (N,), in [0, 1], higher is more likely a fault.
    """
    rows = np.concatenate([features[trusted], noise_features])
    faulty = np.arange(len(rows)) >= len(trusted)
    return _fault_probability(rows, faulty, features)


# Step 6: update from feedback


def update(
    features: np.ndarray,
    suspiciousness: np.ndarray,
    checked: np.ndarray,
    verdicts: np.ndarray,
) -> np.ndarray:
    """Suspiciousness learned from the checked samples alone.

    The paper has the next 200 of the :func:`ranking` checked between two updates.

    Args:
        features: float32 (N, F), the signals of :func:`score`.
        suspiciousness: float64 (N,), as it was before.
        checked: int64 (C,), distinct positions of all samples checked so far.
        verdicts: bool (C,), True where the checked sample is faulty.

    Returns:
        float64 (N,), in [0, 1], higher is more likely a fault; unchanged while all
        verdicts are of one kind, or there are none.
    """
    if np.unique(verdicts).size < 2:
        return suspiciousness.copy()
    return _fault_probability(features[checked], verdicts, features)


def ranking(suspiciousness: np.ndarray, checked: np.ndarray) -> np.ndarray:
    """The order in which samples are listed after feedback.

    Args:
        suspiciousness: float64 (N,).
        checked: int64 (C,), distinct positions, in the order they were checked.

    Returns:
        int64 (N,), positions: the checked samples as given, then the others, most
        suspicious first; equal ones in the order of the samples.
    """
    order = np.argsort(-suspiciousness, kind="stable")
    return np.concatenate([checked, order[~np.isin(order, checked)]]).astype(np.int64)


def _fault_probability(
    rows: np.ndarray, faulty: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Logistic regression fitted on rows (R, F), read out on features (N, F)."""
    # Tighter than the default, so that rounding cannot decide where the solver stops.
    regression = LogisticRegression(C=1.0, tol=1e-6, max_iter=10_000)
    regression.fit(rows.astype(np.float64), faulty)
    return regression.predict_proba(features.astype(np.float64))[:, 1]


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
    no_twin = np.zeros(len(labels), bool)
    reasons = np.stack([suggestion != labels, input_flag, loss_flag, no_twin], axis=1)
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
