"""Keeps what runs of every kind yield, to compare one version of the code with another.

    python tools/isolated.py python tools/fingerprint.py FILE.pkl
    python tools/fingerprint.py --compare BEFORE.pkl AFTER.pkl

To see that a change leaves scores, fields and panel as they are, run it from a copy of
the repository before the change, and from one after it.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COUNT = 600
ARRAYS = ("suspiciousness", "confidence", "reasons", "signals")

# ---- datasets of real digits, some labels wrong ----


def _digits(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits, rng = load_digits(), np.random.default_rng(51)
    images = (digits.images[:count] * 15.9375).astype(np.uint8)
    truth = digits.target[:count]
    wrong = rng.random(count) < 0.05
    labels = np.where(wrong, (truth + rng.integers(1, 10, count)) % 10, truth)
    return images, truth, labels


def whole(folder: Path) -> Any:
    """A label a sample, vectors, logits; one without a label, one unreadable."""
    import fiftyone as fo

    images, truth, labels = _digits(COUNT)
    rng = np.random.default_rng(7)
    samples = []
    for n, image in enumerate(images):
        path = folder / f"{n:04}.png"
        Image.fromarray(image).save(path)
        logits = 3.0 * np.eye(10)[truth[n]] + rng.normal(size=10)
        samples.append(
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=str(labels[n])),
                vectors=(image / 255).ravel().tolist(),
                predicted=fo.Classification(
                    label=str(logits.argmax()), logits=logits.tolist()
                ),
            )
        )
    samples[3].ground_truth = None
    (folder / "0005.png").write_bytes(b"no image")
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    return dataset


def boxes(folder: Path) -> Any:
    """Six objects an image."""
    import fiftyone as fo

    images, _, labels = _digits(480)
    samples = []
    for start in range(0, 480, 6):
        canvas = np.zeros((32, 48), np.uint8)
        objects = []
        for k in range(6):
            row, column = divmod(k, 3)
            y, x = 16 * row + 4, 16 * column + 4
            canvas[y : y + 8, x : x + 8] = images[start + k]
            box = [x / 48, y / 32, 8 / 48, 8 / 32]
            one = fo.Detection(label=str(labels[start + k]), bounding_box=box)
            one["vector"] = (images[start + k] / 255).ravel().tolist()
            objects.append(one)
        path = folder / f"{start:04}.png"
        Image.fromarray(canvas).save(path)
        found = fo.Detections(detections=objects)
        samples.append(fo.Sample(filepath=str(path), ground_truth=found))
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    dataset.add_dynamic_sample_fields()
    return dataset


def tags(folder: Path) -> Any:
    """Two digits an image, their classes as tags."""
    import fiftyone as fo

    images, truth, _ = _digits(COUNT)
    rng = np.random.default_rng(3)
    samples = []
    for n in range(300):
        a, b = rng.integers(0, COUNT, 2)
        path = folder / f"{n:04}.png"
        Image.fromarray(np.hstack([images[a], images[b]])).save(path)
        given = {int(truth[a]), int(truth[b])}
        if n % 20 == 0:
            given ^= {int(rng.integers(10))}
        some = [fo.Classification(label=str(k)) for k in sorted(given)]
        tagged = fo.Classifications(classifications=some)
        vector = np.hstack([images[a].ravel(), images[b].ravel()]) / 255
        samples.append(
            fo.Sample(filepath=str(path), ground_truth=tagged, vectors=vector.tolist())
        )
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    return dataset


def frames(folder: Path) -> Any:
    """Frames of three videos, whose images lie there already."""
    import fiftyone as fo

    images, _, labels = _digits(240)
    dataset = fo.Dataset()
    for v in range(3):
        place = folder / f"video{v}"
        place.mkdir()
        metadata = fo.VideoMetadata(frame_rate=10, total_frame_count=80)
        sample = fo.Sample(filepath=f"{place}.mp4", metadata=metadata)
        for f in range(80):
            n = 80 * v + f
            Image.fromarray(images[n]).save(place / f"{f + 1:06}.jpg")
            label = fo.Classification(label=str(labels[n]))
            vector = (images[n] / 255).ravel().tolist()
            sample.frames[f + 1] = fo.Frame(ground_truth=label, vectors=vector)
        dataset.add_sample(sample)
    return dataset.to_frames(sample_frames=True)


# ---- what a run yields ----


def _module() -> Any:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 10),
        )


def _run(samples: Any, **how: Any) -> dict[str, Any]:
    """Scores, fields, a review and the panel of one run, by name."""
    import fiftyone_dfaulo as dfaulo

    results = dfaulo.compute_suspiciousness(samples, progress=False, **how)
    ids = {one: n for n, one in enumerate(results.ids)}
    kept: dict[str, Any] = {name: np.asarray(getattr(results, name)) for name in ARRAYS}
    kept["labels"] = results.label_texts().tolist()
    kept["suggestions"] = results.suggestion_texts().tolist()
    kept["told"] = str(results)
    kept["left out"] = (len(results.unlabeled), sorted(results.unreadable.values()))
    pairs = getattr(results, "near_duplicates", {})
    kept["near duplicates"] = sorted((ids[a], ids[b]) for a, b in pairs.items())
    kept["schema"] = _schema(samples)
    kept["fields"] = _fields(samples)
    kept |= _review(samples, results)
    return kept


def _schema(samples: Any) -> list[str]:
    dataset = samples._root_dataset
    dataset.reload()
    known = dict(dataset.get_field_schema(flat=True))
    if dataset.media_type == "video":
        known |= dataset.get_frame_field_schema(flat=True)
    ours = {name: field for name, field in known.items() if "dfaulo" in name}
    return sorted(f"{n}: {type(f).__name__}, {f.description}" for n, f in ours.items())


def _fields(samples: Any) -> Any:
    """What was written, without ids."""
    dataset = samples._root_dataset
    video = dataset.media_type == "video"
    at = dataset._frame_collection if video else dataset._sample_collection
    return [_plain(document) for document in at.find({}).sort("_id", 1)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        gone = (
            "_id",
            "_rand",
            "_sample_id",
            "_dataset_id",
            "filepath",
            "vectors",
            "vector",
        )
        return {
            name: _plain(one)
            for name, one in value.items()
            if name not in gone and not name.endswith("_at") and name != "at"
        }
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _review(samples: Any, results: Any) -> dict[str, Any]:
    import fiftyone_dfaulo as dfaulo

    order = np.argsort(-results.suspiciousness, kind="stable")[:20]
    ids = [results.ids[n] for n in order]
    dfaulo.record_verdicts(samples, faulty=ids[:12], correct=ids[12:], by="me")
    dfaulo.update_suspiciousness(samples)
    told = dfaulo.review_status(samples)
    status = told if isinstance(told, dict) else told.to_dict()
    kept: dict[str, Any] = {
        "status": {n: v for n, v in status.items() if n != "stale_ids"},
        "learned": _fields(samples),
        "panel": _panel(samples),
    }
    done = dfaulo.apply_suggestions(samples)
    kept["applied"] = (done.applied, sorted(done.skipped.values()), _fields(samples))
    back = dfaulo.revert_suggestions(samples)
    kept["reverted"] = (str(back), _fields(samples))
    kept["tagged"] = dfaulo.tag_suspicious(samples, top=7)
    view = dfaulo.suspicious_view(samples, limit=9)
    kept["view"] = len(view)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "review.csv")
        kept["exported"] = dfaulo.export_review(samples, path)
    return kept


def _panel(samples: Any) -> Any:
    from fiftyone.operators.executor import ExecutionContext, Executor

    from fiftyone_dfaulo.plugin import PANELS

    request = {
        "dataset_name": samples._root_dataset.name,
        "view": samples.view()._serialize(),
        "params": {"panel_id": "panel", "panel_state": {}},
    }
    uri = "@dfaulo/dfaulo/dfaulo_review"
    ctx = ExecutionContext(request, executor=Executor(), operator_uri=uri)
    panel = PANELS[0]()
    panel.on_load(ctx)
    facts = {**ctx.panel_state["facts"], "dataset_id": None}
    return facts


CASES: dict[str, tuple[Callable[[Path], Any], dict[str, Any]]] = {
    "network": (whole, {"epochs": 4}),
    "network, full": (whole, {"epochs": 3, "depth": "full"}),
    "embeddings": (whole, {"embeddings": "vectors"}),
    "predictions": (whole, {"predictions": "predicted"}),
    "predictions, votes": (whole, {"predictions": "predicted", "out_of_sample": True}),
    "model": (whole, {"model": _module, "preprocessing": {"size": 8}}),
    "model, full": (
        whole,
        {"model": _module, "preprocessing": {"size": 8}, "depth": "full"},
    ),
    "paper": (whole, {"epochs": 3, "method": "paper"}),
    "objects": (boxes, {"epochs": 3}),
    "objects, embeddings": (boxes, {"embeddings": "vector"}),
    "tags": (tags, {"epochs": 3}),
    "tags, embeddings": (tags, {"embeddings": "vectors"}),
    "frames": (frames, {"epochs": 3}),
    "frames, embeddings": (frames, {"embeddings": "vectors"}),
}


def collect() -> dict[str, dict[str, Any]]:
    """What every kind of run yields, by its name."""
    import fiftyone as fo

    fo.config.show_progress_bars = False
    found = {}
    for name, (build, how) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            samples = build(Path(folder))
            given = {n: v() if callable(v) else v for n, v in how.items()}
            found[name] = _run(samples, **given)
            samples._root_dataset.delete()
        print(f"{name}: {len(found[name]['labels'])} scored", flush=True)
    return found


# ---- comparing ----


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs, a line each; figures that differ by rounding say by how much."""
    lines = []
    for name, old in before.items():
        for what, value in old.items():
            gap = difference(value, after[name][what])
            if gap:
                lines.append(f"{name}: {what} differs by {gap}")
    return lines


def difference(one: Any, other: Any) -> float:
    """The largest difference of two figures in these; infinite where more differs."""
    if isinstance(one, np.ndarray):
        if one.shape != other.shape:
            return np.inf
        gap = np.abs(one.astype(float) - other.astype(float))
        return float(gap.max(initial=0.0))
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return np.inf
        return max((difference(v, other[n]) for n, v in one.items()), default=0.0)
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return np.inf
        return max((difference(*pair) for pair in zip(one, other)), default=0.0)
    if isinstance(one, float) and isinstance(other, (int, float)):
        return abs(one - other)
    return 0.0 if one == other else np.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--compare", action="store_true", help="two files, old and new")
    args = parser.parse_args()
    if not args.compare:
        args.files[0].write_bytes(pickle.dumps(collect()))
        return
    before, after = (pickle.loads(path.read_bytes()) for path in args.files)
    lines = compare(before, after)
    print("\n".join(lines) or f"the same to the bit: {', '.join(before)}")


if __name__ == "__main__":
    main()
