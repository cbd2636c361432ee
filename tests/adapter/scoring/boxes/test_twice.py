"""Objects that were counted twice, in a run without a detector."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo import compute_suspiciousness


def test_each_run_on_detections_finds_what_was_counted_twice(make_dataset: Any) -> None:
    dataset = make_dataset(["x"] * 20)
    dataset.set_values("filepath", [dataset.first().filepath] * 20)  # one file for all
    places = [[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.3, 0.3]]
    for sample in dataset:
        some = [fo.Detection(label=one, bounding_box=b) for one, b in zip("ab", places)]
        sample["boxes"] = fo.Detections(detections=some)
        sample.save()
    first = dataset.first()
    twin = fo.Detection(label="a", bounding_box=[0.11, 0.1, 0.3, 0.3])
    first.boxes.detections.append(twin)
    first.save()
    objects = dataset.values("boxes.detections", unwind=True)
    vectors = np.random.default_rng(51).normal(size=(len(objects), 4))
    vectors[:, 0] += [9.0 * (one.label == "a") for one in objects]

    results = compute_suspiciousness(dataset, "boxes", embeddings=vectors)

    dataset.reload()
    reasons = {
        one.id: one.dfaulo_reasons
        for one in dataset.values("boxes.detections", unwind=True)
    }
    found = [one for one, why in reasons.items() if "counted twice" in (why or ())]
    assert len(found) == 1
    assert found[0] in {twin.id, first.boxes.detections[0].id}
    assert first.id == dataset.sort_by("dfaulo_suspiciousness").last().id
    assert "About 1 object was probably counted twice." in results.notes
