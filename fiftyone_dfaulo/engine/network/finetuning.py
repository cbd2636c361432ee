"""``depth="full"``: mutants of the network itself, not of its last layer alone.

As in the paper, a full mutant is trained without a suspicious subset: the samples that
the heads on the frozen network find most suspicious. The built-in network is trained
again from scratch. A given network is copied, and the copy is trained further.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import nn

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Pace, Work
from fiftyone_dfaulo.engine.device import repeatable
from fiftyone_dfaulo.engine.method.heads import (
    INVERSE_REGULARIZATION,
    leave_out,
    standardise,
)
from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.network.training import train_network
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import one_blas_thread, sharing_when_busy
from fiftyone_dfaulo.errors import InputError

SUBSET = 0.10
"""Share of the samples that a full mutant is trained without; if more are probably
faults, it is as many as those."""

EPOCHS, BATCH, RATE, MOMENTUM = 5, 64, 1e-3, 0.9
"""How a given network is trained further: with the paper's batch, rate and momentum."""

_STEEPEST = 1.0  # gradients are cut to this norm
_BLOCK = 256  # images whose embeddings are kept together, about


def check_depth(embedder: TorchEmbedder) -> None:
    """Makes sure that a given network can be trained further.

    Raises:
        InputError: if it is an archive, or its penultimate layer is no module.
    """
    if not embedder.open or not embedder.penultimate.layer:
        raise InputError(
            "depth='full' trains the network further, which model="
            f"{embedder.name} does not allow (it is an archive, or its penultimate "
            "layer is no module); pass a torch.nn.Module or weights with a factory, or "
            "use depth='head'"
        )


def retrain_network(
    pixels: np.ndarray,
    labels: np.ndarray,
    suspiciousness: np.ndarray,
    *,
    settings: Settings,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> tuple[np.ndarray, np.ndarray]:
    """The built-in network, trained from scratch without the most suspicious samples.

    Args:
        pixels: uint8 (N, S, S, 3).
        labels: int64 (N,), all of 0..K-1 present.
        suspiciousness: float (N,), by the network trained on all samples.
        settings, work: as of :func:`.training.train_network`.
        report: called with the fraction done.

    Returns:
        embeddings float32 (N, D) and logits float32 (N, K) of all N samples.
    """
    network = train_network(
        pixels,
        labels,
        int(labels.max()) + 1,
        settings=settings,
        left_out=_subset(suspiciousness, labels),
        work=work,
        report=report,
    )
    size = settings.batch_size
    return network.outputs(pixels, views=True, batch_size=size, work=work)


@sharing_when_busy
def retrain_model(
    embedder: TorchEmbedder,
    pixels: np.ndarray,
    labels: np.ndarray,
    embeddings: np.ndarray,
    suspiciousness: np.ndarray,
    *,
    settings: Settings,
    work: Work = UNKEPT,
    report: StageReport = silent_stage,
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of a given network, trained further without the most suspicious samples.

    It gets a new head for the K classes, which starts from a logistic regression on the
    frozen features. Batch norms keep their statistics.

    Args:
        embedder: the network, which is left as it is.
        pixels: uint8 (N, S, S, 3), of the size that the network takes.
        labels: int64 (N,), all of 0..K-1 present.
        embeddings: float32 (N, D), the frozen network's.
        suspiciousness: (N,), from the heads on them.
        settings: its seed is used.
        work: keeps what the mutant says, and before how its training stands; decided by
            the network, from :func:`.embedder.work_of`.
        report: called with the fraction done.

    Returns:
        embeddings float32 (N, D) and logits float32 (N, K) of all N samples.

    Raises:
        InputError: as :func:`check_depth`.
    """
    check_depth(embedder)
    kept = np.flatnonzero(~_subset(suspiciousness, labels))
    if work.kept:
        work = work.as_kind("mutants").of(pixels, labels, kept, settings.seed)
    known = work.load()
    if known is not None:
        work.tell("The full mutant was trained by an earlier run.")
        report(1.0)
        return known["embeddings"], known["logits"]
    mutant = copy.copy(embedder)
    mutant.module = copy.deepcopy(embedder.module)
    head = _fitted_head(embeddings[kept], labels[kept]).to(embedder.device)
    with torch.random.fork_rng(devices=_devices(embedder.device)):
        torch.manual_seed(settings.seed)
        training = work.of("training")
        _train(mutant, head, pixels, labels, kept, settings.seed, training, report)
    features, _ = embed_pixels(mutant, pixels)
    with torch.no_grad():
        found = head(torch.from_numpy(features).to(embedder.device))
    logits = found.cpu().numpy()
    work.save(embeddings=features, logits=logits)
    training.remove()
    return features, logits


@sharing_when_busy
def embed_pixels(
    embedder: TorchEmbedder,
    pixels: np.ndarray,
    report: StageReport = silent_stage,
    work: Work = UNKEPT,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Embeddings and logits of images that are decoded, uint8 (N, S, S, 3).

    ``work``, from :func:`.embedder.work_of`, keeps them block by block.
    """
    step = embedder.step
    size = -(-_BLOCK // step) * step
    parts, earlier = [], 0
    for start in range(0, len(pixels), size):
        block = np.asarray(pixels[start : start + size])
        own = work.of("pixels", block) if work.kept else work
        found = own.load()
        if found is None:
            batches = [block[n : n + step] for n in range(0, len(block), step)]
            said = zip(("embeddings", "logits"), zip(*map(embedder, batches)))
            found = {
                name: np.concatenate(some) for name, some in said if some[0] is not None
            }
            own.save(**found)
        else:
            earlier += len(block)
        parts.append(found)
        report((start + len(block)) / len(pixels))
    if earlier:
        work.tell(f"Embedded by earlier runs: {earlier} of {len(pixels)} images.")
    logits = [part["logits"] for part in parts if "logits" in part]
    features = np.concatenate([part["embeddings"] for part in parts])
    return features, np.concatenate(logits) if logits else None


def _subset(suspiciousness: np.ndarray, labels: np.ndarray) -> np.ndarray:
    count = max(int(SUBSET * len(labels)), int(suspiciousness.sum()))
    return leave_out(suspiciousness, labels, count)


@one_blas_thread
def _fitted_head(embeddings: np.ndarray, labels: np.ndarray) -> nn.Linear:
    """A linear layer that does what a regression on the scaled features would."""
    mean, spread = embeddings.mean(0), embeddings.std(0)
    scale = np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(C=INVERSE_REGULARIZATION / len(labels), max_iter=200)
    model.fit(standardise(embeddings), labels)
    weights, bias = model.coef_ / scale, model.intercept_ - model.coef_ @ (mean / scale)
    if len(weights) == 1:  # of two classes there is one row, for the second
        weights, bias = np.stack([-weights[0], weights[0]]) / 2, np.r_[-bias, bias] / 2
    head = nn.Linear(weights.shape[1], weights.shape[0])
    head.weight.data = torch.from_numpy(weights.astype(np.float32))
    head.bias.data = torch.from_numpy(bias.astype(np.float32))
    return head


def _train(
    mutant: TorchEmbedder,
    head: nn.Linear,
    pixels: np.ndarray,
    labels: np.ndarray,
    kept: np.ndarray,
    seed: int,
    work: Work,
    report: StageReport,
) -> None:
    """Trains it, from where an earlier run was."""
    rng = np.random.default_rng(seed)
    targets = torch.from_numpy(labels).to(mutant.device)
    for parameter in mutant.module.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    parameters = [p for p in mutant.module.parameters() if p.requires_grad]
    parameters += head.parameters()
    optimizer = torch.optim.SGD(parameters, RATE, momentum=MOMENTUM)
    mutant.module.train()
    for layer in mutant.module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    both, pace = nn.ModuleList([mutant.module, head]), Pace()
    steps = EPOCHS * -(-len(kept) // BATCH)
    first, order, state = 0, kept[:0], work.load()
    if state is not None:
        checkpoint.unpack(state, both, optimizer, rng)
        checkpoint.unpack_drawn(state, mutant.device)
        first, order = int(state["done"]), np.array(state["order"])
        work.tell(f"The full mutant had learned for {first} of {steps} steps before.")
    for step in range(first, steps):
        if not len(order):
            order = rng.permutation(kept)
        chunk, order = order[:BATCH], order[BATCH:]
        with repeatable():
            features, _ = mutant.forward(mutant.prepare(np.asarray(pixels[chunk])))
            loss = F.cross_entropy(
                head(features.float()), targets[torch.from_numpy(chunk)]
            )
            optimizer.zero_grad()
            loss.backward()
        nn.utils.clip_grad_norm_(parameters, _STEEPEST)
        optimizer.step()
        if work.kept and pace.due():
            with pace:
                stands = checkpoint.pack(both, optimizer, rng)
                stands |= checkpoint.pack_drawn(mutant.device)
                work.save(done=np.array(step + 1), order=order, **stands)
        report((step + 1) / steps)
    mutant.module.eval()


def _devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
