"""Which of the usual layouts a folder of images and labels has, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fiftyone_dfaulo.errors import InputError

SPLITS = ("train", "val", "valid", "validation", "test")
"""Names of folders that are parts of a dataset and no classes."""

LAYOUTS = {
    "folders": "<class>/*.jpg, or train/<class>/*.jpg and so on",
    "yolo": "data.yaml, or dataset.yaml, beside images/ and labels/",
    "coco": "a .json file of annotations, and the images",
    "voc": "Annotations/*.xml, or labels/*.xml, and the images",
}
"""What ``--format`` takes, and what each looks like."""


class Part(NamedTuple):
    """A part of a dataset that one of FiftyOne's importers reads.

    Attributes:
        importer: FiftyOne's.
        tag: what its samples are tagged with; None for nothing.
    """

    importer: Any
    tag: str | None


def detect(folder: Path) -> str:
    """The layout of a folder: one of :data:`LAYOUTS`.

    Raises:
        InputError: if it has none of them.
    """
    if _yaml(folder):
        return "yolo"
    if next(_voc_parts(folder), None):
        return "voc"
    if next(_coco_parts(folder), None):
        return "coco"
    if any(_class_folders(folder)):
        return "folders"
    known = "; ".join(f"{name}: {looks}" for name, looks in LAYOUTS.items())
    raise InputError(f"{folder} has none of the layouts that are known: {known}")


def parts(folder: Path, layout: str) -> list[Part]:
    """The importers of a folder.

    Args:
        folder: the folder.
        layout: one of :data:`LAYOUTS`.

    Raises:
        InputError: if the folder does not have this layout.
    """
    readers = {
        "folders": _folder_parts,
        "yolo": _yolo_parts,
        "coco": _coco_importers,
        "voc": _voc_importers,
    }
    found = readers[layout](folder)
    if not found:
        raise InputError(f"{folder} is not laid out as {layout}: {LAYOUTS[layout]}")
    return found


# ---- a folder for each class ----


def _class_folders(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """The folders that hold one folder for each class, and the split that each is."""
    inside = [one for one in sorted(folder.iterdir()) if _is_folder(one)]
    splits = [one for one in inside if one.name.lower() in SPLITS]
    if splits and len(splits) == len(inside):
        yield from ((one, one.name) for one in splits if any(_folders(one)))
    elif inside:
        yield folder, None


def _folders(folder: Path) -> Iterator[Path]:
    return (one for one in folder.iterdir() if _is_folder(one))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _folder_parts(folder: Path) -> list[Part]:
    import fiftyone.utils.data as foud

    make = foud.ImageClassificationDirectoryTreeImporter
    return [Part(make(str(one)), tag) for one, tag in _class_folders(folder)]


# ---- YOLO ----


def _yaml(folder: Path) -> Path | None:
    """The file that says where YOLO's images are."""
    named = [folder / name for name in ("data.yaml", "dataset.yaml", "data.yml")]
    others = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return next((one for one in [*named, *others] if one.is_file()), None)


def _yolo_parts(folder: Path) -> list[Part]:
    import fiftyone.utils.yolo as fouy
    import yaml

    path = _yaml(folder)
    if path is None:
        return []
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as YAML: {error}") from error
    splits = [name for name in SPLITS if isinstance(said, dict) and said.get(name)]
    if not splits or "names" not in said:
        raise InputError(f"{path} must say `names`, and where `train` or `val` are")
    return [
        Part(
            fouy.YOLOv5DatasetImporter(
                str(folder), yaml_path=str(path), split=name, include_all_data=True
            ),
            name,
        )
        for name in splits
    ]


# ---- COCO ----


def _coco_parts(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Files of annotations, and the folder with the images of each."""
    files = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    for path in files:
        first = _first_file_name(path)
        if first is None:
            continue
        near = [path.parent, path.parent / "data", path.parent / "images"]
        near += [folder, *sorted(_folders(folder))]
        near += [one / path.stem.rpartition("_")[2] for one in (folder, *near[-1:])]
        yield path, next((one for one in near if (one / first).is_file()), folder)


def _first_file_name(path: Path) -> str | None:
    """The first image that a file of COCO's format names; None if it is of another."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict) or not {"images", "annotations"} <= said.keys():
        return None
    names = (one.get("file_name") for one in said["images"] if isinstance(one, dict))
    return next((name for name in names if isinstance(name, str)), None)


def _coco_importers(folder: Path) -> list[Part]:
    import fiftyone.utils.coco as fouc

    found = list(_coco_parts(folder))
    return [
        Part(
            fouc.COCODetectionDatasetImporter(
                data_path=str(images),
                labels_path=str(labels),
                label_types="detections",
            ),
            labels.stem if len(found) > 1 else None,
        )
        for labels, images in found
    ]


# ---- VOC ----


def _voc_parts(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Folders of annotations, and of the images."""
    for name in ("Annotations", "annotations", "labels", "."):
        labels = folder / name
        if labels.is_dir() and next(labels.glob("*.xml"), None):
            near = [folder / one for one in ("JPEGImages", "images", "data")]
            yield labels, next((one for one in near if one.is_dir()), folder)
            return


def _voc_importers(folder: Path) -> list[Part]:
    import fiftyone.utils.voc as fouv

    return [
        Part(
            fouv.VOCDetectionDatasetImporter(
                data_path=str(images), labels_path=str(labels), include_all_data=True
            ),
            None,
        )
        for labels, images in _voc_parts(folder)
    ]
