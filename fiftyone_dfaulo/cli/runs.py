"""``find``, ``review-status`` and ``export``: a run on a dataset, and its review."""

from __future__ import annotations

import argparse
import json
from typing import Any

from fiftyone_dfaulo.cli.datasets import SHOWN, load, print_top
from fiftyone_dfaulo.cli.parsing import (
    Subparsers,
    add_cluster,
    add_command,
    add_key,
    add_training,
)

_FIND = """\
examples:
  fiftyone-dfaulo find my-dataset --label-field ground_truth
  fiftyone-dfaulo find my-dataset --embeddings clip_embeddings
  fiftyone-dfaulo find my-dataset --model resnet18 --brain-key with_resnet
  fiftyone-dfaulo find my-dataset --model resnet18 --cluster auto

Without --embeddings, --model or --predictions, all embeddings of the dataset are used,
and a small network is trained on the images: alone, or as well if that takes minutes.
"""

_STATUS = """\
examples:
  fiftyone-dfaulo review-status my-dataset
  fiftyone-dfaulo review-status my-dataset --json
"""

_EXPORT = """\
examples:
  fiftyone-dfaulo export my-dataset review.csv
  fiftyone-dfaulo export my-dataset review.json --overwrite
"""

_KEPT = (
    "embeddings",
    "model",
    "predictions",
    "learn_from",
    "epochs",
    "seed",
    "device",
    "cluster",
)
"""Options of ``find`` that are passed on if they are given."""


def add_find(commands: Subparsers) -> None:
    """Adds ``find``."""
    help_text = "score the labels of a dataset"
    parser = add_command(commands, "find", help_text, _FIND)
    _add_dataset(parser)
    parser.add_argument(
        "--label-field",
        default="ground_truth",
        metavar="FIELD",
        help="the field with the labels (ground_truth)",
    )
    add_key(parser)
    parser.add_argument("--embeddings", metavar="FIELD", help="a field of vectors")
    parser.add_argument("--model", help="a torchvision or FiftyOne zoo model")
    parser.add_argument(
        "--predictions",
        metavar="FIELD",
        help="a model's predictions; of boxes also: look looks at each, auto trains a "
        "detector as well",
    )
    parser.add_argument(
        "--learn-from",
        metavar="KEY",
        help="another run on the same labels, whose review the models learn from",
    )
    add_training(parser)
    add_cluster(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a run that has verdicts"
    )
    parser.add_argument(
        "--top", type=int, default=SHOWN, metavar="N", help=f"to print ({SHOWN})"
    )
    parser.set_defaults(run=_find)


def add_status(commands: Subparsers) -> None:
    """Adds ``review-status``."""
    help_text = "say how far the review of a run is"
    parser = add_command(commands, "review-status", help_text, _STATUS)
    _add_dataset(parser)
    add_key(parser)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.set_defaults(run=_status)


def add_export(commands: Subparsers) -> None:
    """Adds ``export``."""
    help_text = "write what was reviewed to a .csv or .json file"
    parser = add_command(commands, "export", help_text, _EXPORT)
    _add_dataset(parser)
    parser.add_argument("file", metavar="FILE", help="its name ends in .csv or .json")
    add_key(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    parser.set_defaults(run=_export)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="the name of the dataset")


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options that a run takes, as far as they are given."""
    values = {name: getattr(options, name, None) for name in _KEPT}
    return {name: value for name, value in values.items() if value is not None}


def _find(options: argparse.Namespace) -> int:
    dataset = load(options.dataset)
    from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness
    from fiftyone_dfaulo.checks import check_whole_number

    check_whole_number("top", options.top, 1)
    results = compute_suspiciousness(
        dataset,
        options.label_field,
        brain_key=options.brain_key,
        overwrite=options.overwrite,
        **given(options),
    )
    print(results)
    print_top(dataset, options.brain_key, options.top)
    return 0


def _status(options: argparse.Namespace) -> int:
    dataset = load(options.dataset)
    from fiftyone_dfaulo.adapter.review.status import review_status

    status = review_status(dataset, options.brain_key)
    print(json.dumps(status.to_dict(), indent=2) if options.json else status)
    return 0


def _export(options: argparse.Namespace) -> int:
    dataset = load(options.dataset)
    from fiftyone_dfaulo.adapter.exports.export import export_review

    rows = export_review(
        dataset, options.file, options.brain_key, overwrite=options.overwrite
    )
    print(f"{rows} rows written to {options.file}")
    return 0
