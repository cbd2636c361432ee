"""What two sources judged together find, and what a useless one costs.

    PYTHONPATH=examples python -m bench.sources FOLDER CACHE

CIFAR-10N's 10,000 images: the network trained here, MobileNet's embeddings, both
together, and each beside 512 numbers of noise an image. FOLDER has the shared files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from bench import cases, outputs
from bench.methods import Subject, our_ensemble
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method import single_label
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble

SEEDS = (0, 1, 2)
LABELS = ("aggre_label", "random_label1", "worse_label")


def main() -> None:
    """Prints a line for each kind of labels and seed."""
    folder, cache = map(Path, sys.argv[1:3])
    mobilenet = np.load(folder / "cifar10n_10000_mobilenet.npz")["embeddings"]
    for seed in SEEDS:
        for name in LABELS:
            case = cases.read_npz(folder / "cifar10n_10000.npz", name, "clean")
            settings = Settings(seed=seed)
            noise = np.random.default_rng(seed).normal(size=(len(case.labels), 512))
            network, embeddings, useless = (
                our_ensemble(Subject(case, outputs.load(case, seed, cache), seed)),
                fit_ensemble(
                    mobilenet.astype(np.float32), case.labels, settings=settings
                ),
                fit_ensemble(noise, case.labels, settings=settings),
            )
            found = [
                average_precision_score(
                    case.faults,
                    single_label.score_labels(case.labels, *made).suspiciousness,
                )
                for made in (
                    (network,),
                    (embeddings,),
                    (network, embeddings),
                    (network, useless),
                    (embeddings, useless),
                )
            ]
            shown = " ".join(f"{each:.4f}" for each in found)
            print(f"{name:14} {seed} {shown}", flush=True)


if __name__ == "__main__":
    main()
