"""``folder``: from images and labels on disk to a scored dataset and a picture."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_dfaulo.cli.datasets import print_top, start_fiftyone
from fiftyone_dfaulo.cli.layouts import LAYOUTS, Part, detect, parts
from fiftyone_dfaulo.cli.parsing import Subparsers, add_command, add_key, add_training
from fiftyone_dfaulo.cli.runs import given
from fiftyone_dfaulo.errors import InputError, one_line

if TYPE_CHECKING:
    from fiftyone_dfaulo.adapter.host import Dataset

LABEL_FIELD = "ground_truth"

_NAMED = 5
"""How many of the files that were left out are named."""

_EPILOG = f"""\
layouts, found by themselves unless --format names one:
{chr(10).join(f"  {name:8}  {looks}" for name, looks in LAYOUTS.items())}

examples:
  fiftyone-dfaulo folder photos
  fiftyone-dfaulo folder coco2017 --format coco --name my-coco --model resnet18

The images stay where they are. Files that are no images are left out and named.
"""


def add(commands: Subparsers) -> None:
    """Adds ``folder``."""
    help_text = "make a scored dataset, and a picture, of a folder of images and labels"
    parser = add_command(commands, "folder", help_text, _EPILOG)
    parser.add_argument("path", type=Path, metavar="PATH", help="the folder")
    parser.add_argument("--name", help="of the dataset (the folder's)")
    parser.add_argument("--format", choices=LAYOUTS, help="its layout")
    parser.add_argument(
        "--gallery",
        type=Path,
        default=Path("gallery.png"),
        metavar="FILE",
        help="the picture of the most suspicious (gallery.png)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the picture")
    parser.add_argument("--model", help="a torchvision or FiftyOne zoo model")
    add_key(parser)
    add_training(parser)
    parser.set_defaults(run=_folder)


def _folder(options: argparse.Namespace) -> int:
    folder = options.path.expanduser()
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(options.path)!r}")
    layout = options.format or detect(folder)
    start_fiftyone()
    import fiftyone as fo

    from fiftyone_dfaulo.adapter.exports.files import check_target
    from fiftyone_dfaulo.adapter.exports.gallery import save_gallery
    from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness

    check_target(options.gallery, ".png", overwrite=options.overwrite)
    name = options.name or re.sub(r"[^\w.-]+", "-", folder.resolve().name).strip("-.")
    if fo.dataset_exists(name):
        raise InputError(
            f"there is a dataset {name!r} already: pass another --name, score it with "
            f"`fiftyone-dfaulo find {name}`, or delete it with "
            f"`fiftyone datasets delete {name}`"
        )
    dataset, left_out = read(folder, layout, name)
    try:
        _say_left_out(left_out)
        results = compute_suspiciousness(
            dataset, LABEL_FIELD, brain_key=options.brain_key, **given(options)
        )
    except BaseException:
        dataset.delete()
        raise
    dataset.persistent = True
    print(results)
    print_top(dataset, options.brain_key)
    picture = save_gallery(
        dataset, options.brain_key, options.gallery, overwrite=options.overwrite
    )
    print(f"The first 50, as a picture: {picture}")
    return 0


def read(folder: Path, layout: str, name: str) -> tuple[Dataset, dict[str, str]]:
    """Reads a folder into a new dataset, whose labels are in ``ground_truth``.

    Args:
        folder: the folder.
        layout: one of :data:`.layouts.LAYOUTS`.
        name: of the dataset, which must be free.

    Returns:
        the dataset, not persistent yet; and the files that were left out, each with
        the reason.

    Raises:
        InputError: if it holds no image with a label, or is laid out otherwise; no
            dataset is left then.
    """
    import fiftyone as fo

    left_out: dict[str, str] = {}
    dataset = fo.Dataset(name)
    try:
        for part in parts(folder, layout):
            found = list(_samples(part, left_out))
            dataset.add_samples(found)
        if not dataset.exists(LABEL_FIELD):
            _say_left_out(left_out)
            raise InputError(f"{folder} holds no image with a label, read as {layout}")
    except BaseException:
        dataset.delete()
        raise
    return dataset, left_out


def _samples(part: Part, left_out: dict[str, str]) -> Iterator[Any]:
    """The samples of a part; what is no image, or cannot be read, is left out."""
    import fiftyone as fo
    from fiftyone.core.media import IMAGE, get_media_type

    try:
        part.importer.setup()
    except Exception as error:
        raise InputError(one_line(error)) from error
    rows = iter(part.importer)
    number = 0
    while True:
        number += 1
        try:
            path, _, label = next(rows)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - as above
            left_out[f"label {number}"] = one_line(error)
            continue
        if get_media_type(path) != IMAGE:
            left_out[path] = "no image"
        elif not Path(path).is_file():
            left_out[path] = "there is no such file"
        else:
            tags = [part.tag] if part.tag else []
            yield fo.Sample(path, tags=tags, **{LABEL_FIELD: label})


def _say_left_out(left_out: dict[str, str]) -> None:
    """Names what was left out, on the stream of errors."""
    if not left_out:
        return
    print(f"{len(left_out)} left out:", file=sys.stderr)
    for what, why in list(left_out.items())[:_NAMED]:
        print(f"  {what}: {why}", file=sys.stderr)
    if len(left_out) > _NAMED:
        print(f"  and {len(left_out) - _NAMED} more", file=sys.stderr)
