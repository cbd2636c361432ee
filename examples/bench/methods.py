"""Methods: ours, and everything a user could pick instead.

All judge the same samples by the outputs of the same network, and give a score to each
sample; higher is more suspicious. Published ones name their source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from bench import peers
from bench.cases import Case
from bench.outputs import Outputs, prepare
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import ensemble, heads, near_duplicates, single_label
from fiftyone_dfaulo.engine.network import finetuning, training
from fiftyone_dfaulo.engine.paper import method
from fiftyone_dfaulo.engine.scores import Scores


@dataclass(frozen=True)
class Subject:
    """A case, and what a network trained on it makes of it."""

    case: Case
    outputs: Outputs
    seed: int

    @property
    def labels(self) -> np.ndarray:
        return self.case.labels


Method = Callable[[Subject], np.ndarray]


def our_ensemble(subject: Subject) -> ensemble.Ensemble:
    """The models that ``method="dfaulo"`` fits around the network."""
    return ensemble.fit_ensemble(
        subject.outputs.views,
        subject.labels,
        logits=subject.outputs.learning,
        learned=True,
        appearance=subject.outputs.appearance,
        points=near_duplicates.thumbnails(prepare(subject.case.images)),
        settings=Settings(seed=subject.seed),
    )


def our_scores(subject: Subject) -> Scores:
    """``method="dfaulo"``."""
    return single_label.score_labels(subject.labels, our_ensemble(subject))


def our_full_scores(subject: Subject) -> Scores:
    """``method="dfaulo"`` with ``depth="full"``: a second network is trained."""
    settings, labels = Settings(seed=subject.seed), subject.labels
    first = our_ensemble(subject)
    vectors, logits = finetuning.retrain_network(
        prepare(subject.case.images),
        labels,
        single_label.score_labels(labels, first).suspiciousness,
        settings=settings,
    )
    second = ensemble.fit_ensemble(
        vectors,
        labels,
        logits=logits,
        learned=True,
        foreign=first.foreign,
        settings=settings,
    )
    return single_label.score_labels(labels, first, second)


def papers_scores(subject: Subject) -> Scores:
    """``method="paper"``: DFauLo, doi 10.1145/3611643.3616345, before any feedback.

    Its mutants need the network itself, so the network is trained again.
    """
    pixels, settings = prepare(subject.case.images), Settings(seed=subject.seed)
    count = int(subject.labels.max()) + 1
    network = training.train_network(pixels, subject.labels, count, settings=settings)
    return method.score(
        pixels, subject.labels, count, network=network, settings=settings
    )


def ours(subject: Subject) -> np.ndarray:
    """The suspiciousness of :func:`our_scores`."""
    return our_scores(subject).suspiciousness


def ours_full(subject: Subject) -> np.ndarray:
    """The suspiciousness of :func:`our_full_scores`."""
    return our_full_scores(subject).suspiciousness


def papers(subject: Subject) -> np.ndarray:
    """The suspiciousness of :func:`papers_scores`."""
    return papers_scores(subject).suspiciousness


def loss(subject: Subject) -> np.ndarray:
    """The network's own loss, in-sample."""
    return _loss(subject, subject.outputs.logits)


def views_loss(subject: Subject) -> np.ndarray:
    """The same, of the average over an image and moved copies that ours is given."""
    return _loss(subject, subject.outputs.views_logits)


def learning_loss(subject: Subject) -> np.ndarray:
    """The loss of what the network says while it learns, which ours is given too."""
    return _loss(subject, subject.outputs.learning)


def _loss(subject: Subject, logits: np.ndarray) -> np.ndarray:
    return signals.loss(signals.log_softmax(logits), subject.labels)


def margin(subject: Subject) -> np.ndarray:
    """The network's own margin, in-sample."""
    log_probabilities = signals.log_softmax(subject.outputs.logits)
    return signals.margin(log_probabilities, subject.labels)


def mean_loss(subject: Subject) -> np.ndarray:
    """Loss averaged over the epochs of training, before each step on a sample."""
    return _over_epochs(subject, signals.loss)


def area_under_margin(subject: Subject) -> np.ndarray:
    """Logit margin averaged over epochs: AUM, Pleiss et al., arXiv 2001.10528.

    Of all epochs, as its steps see the samples, which is how its authors read it.
    """
    return _over_epochs(subject, signals.margin)  # logits have that of their softmax


def _over_epochs(
    subject: Subject, signal: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    values = [
        signal(signals.log_softmax(logits), subject.labels)
        for logits in subject.outputs.epochs
    ]
    return np.mean(values, axis=0)


def out_of_sample(subject: Subject) -> np.ndarray:
    """Probabilities float64 (N, K), as cleanlab's text tutorial has them of embeddings.

    Five-fold cross-validated logistic regression, docs.cleanlab.ai; its image tutorial
    trains the network once a fold.
    """
    folds = StratifiedKFold(5, shuffle=True, random_state=subject.seed)
    return cross_val_predict(
        LogisticRegression(max_iter=1000),
        heads.standardise(subject.outputs.embeddings),
        subject.labels,
        cv=folds,
        method="predict_proba",
    )


def cleanlab(method: str) -> Method:
    """cleanlab's ``get_label_quality_scores``, upside down."""

    def score(subject: Subject) -> np.ndarray:
        from cleanlab.rank import get_label_quality_scores

        return -get_label_quality_scores(
            subject.labels, out_of_sample(subject), method=method
        )

    return score


def confident_learning(subject: Subject) -> np.ndarray:
    """cleanlab's ``find_label_issues``: its issues in its order, then the others."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    probabilities = out_of_sample(subject)
    issues = find_label_issues(
        subject.labels, probabilities, filter_by="confident_learning", n_jobs=1
    )
    return issues - get_label_quality_scores(subject.labels, probabilities)


def mistakenness(subject: Subject) -> np.ndarray:
    """``fiftyone.brain.compute_mistakenness``, on a dataset with logits."""
    names = [f"{k:03d}" for k in range(int(subject.labels.max()) + 1)]
    rows = zip(subject.labels.tolist(), subject.outputs.logits)
    dataset = fo.Dataset()
    try:
        dataset.add_samples(
            [
                fo.Sample(
                    f"{n}.png",
                    label=fo.Classification(label=names[given]),
                    guess=fo.Classification(
                        label=names[int(logits.argmax())],
                        logits=logits.astype(float),
                        confidence=float(signals.softmax(logits[None]).max()),
                    ),
                )
                for n, (given, logits) in enumerate(rows)
            ],
            progress=False,
        )
        fob.compute_mistakenness(
            dataset, "guess", label_field="label", use_logits=True, progress=False
        )
        return np.array(dataset.values("mistakenness"))
    finally:
        dataset.delete()


def neighbours(subject: Subject) -> np.ndarray:
    """The scores of :func:`bench.peers.neighbours`."""
    return peers.neighbours(subject.outputs.embeddings, subject.labels).scores


def chance(subject: Subject) -> np.ndarray:
    """A random order."""
    return np.random.default_rng(subject.seed).random(len(subject.labels))


OURS, CHANCE = "dfaulo", "random"
METHODS: dict[str, Method] = {
    OURS: ours,
    "dfaulo, full mutant": ours_full,
    "paper": papers,
    "loss": loss,
    "loss, five views": views_loss,
    "margin": margin,
    "loss, while learning": learning_loss,
    "mean loss over epochs": mean_loss,
    "AUM": area_under_margin,
    "cleanlab self-confidence": cleanlab("self_confidence"),
    "cleanlab normalized margin": cleanlab("normalized_margin"),
    "cleanlab confident learning": confident_learning,
    "FiftyOne mistakenness": mistakenness,
    "k-NN vote": neighbours,
    CHANCE: chance,
}
