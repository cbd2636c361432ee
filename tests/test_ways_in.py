"""The same faults are found whatever is brought: through Python and the operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bench import cases, ways_in
from PIL import Image

pytestmark = pytest.mark.usefixtures("nobody_else")


def written(pixels: np.ndarray, folder: Path) -> Iterator[Path]:
    """Writes images, and gives their paths."""
    for number, image in enumerate(pixels):
        path = folder / f"{number:03d}.png"
        Image.fromarray(image).save(path)
        yield path


@pytest.fixture
def digits(tmp_path: Path) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """100 digits of five classes with 5 % wrong labels, pixels, and the faults."""
    clean = cases.read_digits()
    chosen = np.flatnonzero(clean.truth < 5)[:100]
    case = cases.plant(
        cases.Case(
            "few",
            *(values[chosen] for values in (clean.images, clean.labels)),
            clean.faults[chosen],
            clean.truth[chosen],
        ),
        "random-label",
        0.05,
        0,
        [],
    )
    pixels = np.repeat(case.images[..., None], 3, axis=3)
    dataset = fo.Dataset()
    # nobody keeps the samples: FiftyOne reloads each that is in memory, one by one
    dataset.add_samples(
        fo.Sample(str(path), ground_truth=fo.Classification(label=str(label)))
        for path, label in zip(written(pixels, tmp_path), case.labels)
    )
    yield dataset, pixels, case.faults
    dataset.delete()


def test_every_way_in_finds_the_same_faults(digits: Any, tmp_path: Path) -> None:
    dataset, pixels, faults = digits
    brought = ways_in.bring(dataset, pixels, tmp_path, epochs=6)

    found = list(ways_in.find(dataset, brought, tmp_path, faults))

    assert [way for way, door, _ in found if door == "Python"] == [*brought.python]
    assert [way for way, door, _ in found if door == "operator"] == [*brought.app]
    assert min(precision for *_, precision in found) >= 0.85, found
    # all that go by the network's penultimate features see exactly the same
    features = {
        round(precision, 3)
        for way, _, precision in found
        if way not in ("built-in network", "logits field")
    }
    assert max(features) - min(features) < 0.01, found
