"""Run by test_install.py in a Python of its own: uses the plugin as FiftyOne finds it.

Prints what it found as one line of JSON, the last of its output.
"""

import importlib.util
import json
import logging
import sys
from pathlib import Path

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.plugins as fop
import numpy as np
from PIL import Image

URI = "@dfaulo/dfaulo/compute_suspiciousness"

messages: list[str] = []


class Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.append(record.getMessage())


def make_dataset(folder: Path) -> fo.Dataset:
    """Twenty samples of two classes that lie apart."""
    rng = np.random.default_rng(51)
    samples = []
    for number in range(20):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)
        label = fo.Classification(label="ab"[number % 2])
        vector = rng.normal(size=4) + 5 * (number % 2)
        samples.append(fo.Sample(path, ground_truth=label, vector=vector.tolist()))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset


def main(folder: Path) -> None:
    importable = importlib.util.find_spec("fiftyone_dfaulo") is not None
    logging.getLogger().addHandler(Listener())
    operator = foo.get_operator(URI)
    from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness

    fop.ensure_plugin_compatibility("@dfaulo/dfaulo", error_level=0)
    dataset = make_dataset(folder)
    params = {"embeddings": "vector"}
    foo.execute_operator(URI, {"dataset": dataset, "params": params})
    dataset.reload()
    found = {
        "importable": importable,
        "one_class": type(operator) is ComputeSuspiciousness,
        "file": sys.modules["fiftyone_dfaulo"].__file__,
        "errors": foo.OperatorRegistry().list_errors(),
        "messages": [text for text in messages if "dfaulo" in text],
        "requirements": fop.load_plugin_requirements("@dfaulo/dfaulo"),
        "scores": dataset.count("dfaulo_suspiciousness"),
        "runs": dataset.list_brain_runs(),
    }
    print("\n" + json.dumps(found))


main(Path(sys.argv[1]))
