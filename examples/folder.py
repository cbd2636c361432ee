"""From a folder of images, one folder a class, to a picture of its suspicious labels.

    python examples/folder.py FOLDER

FOLDER holds ``train/<class>/*.png``, or the folders of the classes themselves; other
image formats will do. Without a FOLDER, one is made of the 1,797 digits that
scikit-learn ships, 5 % of them in a wrong class's folder. Nothing in FOLDER is changed.
The picture is ``gallery.png``, or what ``--gallery`` says.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import fiftyone_dfaulo as dfaulo

RATE = 0.05
SEED = 51
SHOWN = 10


def write_digits(folder: Path) -> None:
    """Writes ``train/<class>/*.png``; each name says what the digit really is."""
    rng = np.random.default_rng(SEED)
    images, truth = load_digits(return_X_y=True)
    wrong = rng.random(len(truth)) < RATE
    labels = np.where(wrong, truth + rng.integers(1, 10, len(truth)), truth) % 10
    for number, image in enumerate(images.reshape(-1, 8, 8)):
        place = folder / "train" / str(labels[number])
        place.mkdir(parents=True, exist_ok=True)
        pixels = (image * 15.9375).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:04d}-is-{truth[number]}.png")


def read_folder(folder: Path) -> Any:
    """The images as a FiftyOne dataset; the files stay where they are."""
    train = folder / "train"
    return fo.Dataset.from_dir(
        dataset_dir=str(train if train.is_dir() else folder),
        dataset_type=fo.types.ImageClassificationDirectoryTree,
        label_field="ground_truth",
    )


def find_suspicious(folder: Path, gallery: Path, epochs: int) -> None:
    """Scores the labels, prints the top of the ranking, and saves the picture."""
    dataset = read_folder(folder)
    print(dfaulo.compute_suspiciousness(dataset, epochs=epochs))
    print(f"\nThe {SHOWN} most suspicious:")
    for sample in dfaulo.suspicious_view(dataset, limit=SHOWN):
        score, given = sample.dfaulo_suspiciousness, sample.ground_truth.label
        seen, file = sample.dfaulo_suggestion.label, Path(sample.filepath).name
        print(f"  {score:.3f}  {given} looks like {seen}  {given}/{file}")
    saved = dfaulo.save_gallery(dataset, path=gallery, overwrite=True)
    print(f"\nThe first 50, as a picture: {saved}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="train/<class>/*.png")
    parser.add_argument("--gallery", type=Path, default=Path("gallery.png"))
    parser.add_argument("--epochs", type=int, default=dfaulo.Settings.epochs)
    options = parser.parse_args(arguments)
    if options.folder is not None:
        find_suspicious(options.folder, options.gallery, options.epochs)
        return
    with tempfile.TemporaryDirectory() as made:
        write_digits(Path(made))
        find_suspicious(Path(made), options.gallery, options.epochs)


if __name__ == "__main__":
    main()
