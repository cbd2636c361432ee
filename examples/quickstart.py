"""Finds label faults planted in real handwritten digits, from nothing but the images.

Run ``make demo``. It builds the FiftyOne dataset ``dfaulo-demo`` from the 1,797 digits
that scikit-learn ships, gives 5 % of them a wrong label, runs the operator "Find
suspicious labels" as the App does, and compares what it found with the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import fiftyone_dfaulo as dfaulo

NAME = "dfaulo-demo"
RATE = 0.05
SEED = 51


def build_dataset() -> Any:
    """The digits as PNG files, 5 % of them with a wrong label."""
    if fo.dataset_exists(NAME):
        fo.delete_dataset(NAME)
    folder = Path(fo.config.default_dataset_dir) / NAME
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    images, truth = load_digits(return_X_y=True)
    wrong = rng.random(len(truth)) < RATE
    labels = np.where(wrong, truth + rng.integers(1, 10, len(truth)), truth) % 10

    samples = []
    for number, image in enumerate(images.reshape(-1, 8, 8)):
        path = folder / f"{number:04d}.png"
        Image.fromarray((image * 15.9375).astype(np.uint8)).save(path)
        label = fo.Classification(label=str(labels[number]))
        sample = fo.Sample(filepath=str(path), ground_truth=label)
        sample["true_label"] = str(truth[number])
        sample["planted_fault"] = bool(wrong[number])
        samples.append(sample)
    dataset = fo.Dataset(NAME, persistent=True)
    dataset.add_samples(samples)
    return dataset


def find_suspicious(dataset: Any) -> None:
    """What the App runs when "Find suspicious labels" is executed."""
    print("Training a network on the digits and scoring their labels ...", flush=True)
    operator = foo.get_operator("@dfaulo/dfaulo/compute_suspiciousness")
    result = operator(dataset, label_field="ground_truth")
    result.raise_exceptions()
    print(dataset.load_brain_results("dfaulo"))


def compare_with_truth(dataset: Any) -> None:
    """How many of the planted faults a reviewer meets, and how soon."""
    ranked = dfaulo.suspicious_view(dataset)
    fields = ["planted_fault", "true_label", "dfaulo_suggestion.label"]
    faults, truth, suggestions = map(np.array, ranked.values(fields))
    total = int(faults.sum())
    print(f"\n{total} labels were made wrong on purpose. Reviewing the top of the list")
    for reviewed in (total // 2, total, 2 * total):
        found = int(faults[:reviewed].sum())
        print(f"  {reviewed:4d} samples finds {found:3d} of them ({found / total:.0%})")
    right = int((suggestions[faults] == truth[faults]).sum())
    print(f"The suggestion is the true class for {right} of the {total}.")


def main() -> None:
    dataset = build_dataset()
    find_suspicious(dataset)
    compare_with_truth(dataset)
    print("\nTo look at them in the App: `make app`")


if __name__ == "__main__":
    main()
