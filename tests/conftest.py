"""FiftyOne in a folder of its own, and small real datasets to test with.

Its variables are set when pytest loads this file, before anything imports FiftyOne,
which reads them once. Each of pytest-xdist's workers has a database of its own. It lies
in memory where that has room: on a disk, half of what a small dataset takes is waiting.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import isolated
import numpy as np
import pytest
from PIL import Image

_open = ExitStack()

_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3
"""Bytes that have to be free for each database there; 150 tests took 0.3 GB."""


def _folder(parent: Path | None = None) -> Path:
    return Path(
        _open.enter_context(tempfile.TemporaryDirectory(prefix="dfaulo-", dir=parent))
    )


def _home_of_database(folder: Path) -> Path:
    """A folder in memory, or the given one where there is no room for one."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < workers * _ROOM:
        return folder
    return _folder(_MEMORY)


def _isolate() -> None:
    folder = _folder()
    # FiftyOne registers its clean-up later, so that comes first and finds its database
    atexit.register(_open.close)
    (folder / "plugins").mkdir()
    # Ray has its files here, listens on the loopback alone, and reports to nobody
    os.environ["RAY_TMPDIR"] = str(folder)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.pop("RAY_ADDRESS", None)
    variables = isolated.settings(folder, "")
    isolated_already = (
        os.environ.get("FIFTYONE_DATABASE_NAME") == variables["FIFTYONE_DATABASE_NAME"]
    )
    if isolated_already and "PYTEST_XDIST_WORKER" not in os.environ:
        return
    variables["FIFTYONE_DATABASE_URI"] = _open.enter_context(
        isolated.database(_home_of_database(folder))
    )
    os.environ.pop("FIFTYONE_PRIVATE_DATABASE_PORT", None)
    os.environ.update(variables)


_isolate()
os.environ["FIFTYONE_SHOW_PROGRESS_BARS"] = "false"
os.environ["DFAULO_CACHE_GB"] = "0"  # or a test would take the work of another one


DatasetFactory = Callable[..., Any]

LONG = (
    "app/test_review",
    "app/",
    "test_benchmark",
    "test_killed",
    "test_resumed",
    "test_two_at_once",
    "test_ways_in",
    "test_demo",
    "test_docs",
    "test_fuzz",
    "test_folder",
    "test_install",
)
"""Files whose tests take longest; they come first, so that no process ends alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the longest files begin first."""

    def place(item: pytest.Item) -> int:
        found = (
            n for n, name in enumerate(LONG) if name in item.nodeid.partition("::")[0]
        )
        return next(found, len(LONG))

    items.sort(key=place)


@pytest.fixture
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """New fields are not watched: no other tool can take them away here."""
    from fiftyone_dfaulo.adapter.storage import declaration

    monkeypatch.setattr(declaration, "_WATCHED", 0)


def draw(path: Path, number: int, rng: np.random.Generator, size: int = 8) -> None:
    """Writes an image of class ``number``: one bright row on noise."""
    pixels = rng.integers(0, 60, (size, size, 3), dtype=np.uint8)
    pixels[number % size] = 220
    Image.fromarray(pixels).save(path)


def build_dataset(
    folder: Path, labels: Sequence[str | None], *, field: str = "ground_truth"
) -> Any:
    """A dataset of small images that show their labels.

    Args:
        folder: where to write the images; each is named by its position.
        labels: one a sample, None for no label.
        field: name of the label field.
    """
    import fiftyone as fo

    folder.mkdir()
    rng = np.random.default_rng(51)
    names = sorted({label for label in labels if label is not None})
    dataset = fo.Dataset()
    dataset.add_sample_field(
        field, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    samples = []
    for position, label in enumerate(labels):
        path = folder / f"{position:04}.png"
        draw(path, names.index(label) if label is not None else 0, rng)
        value = None if label is None else fo.Classification(label=label)
        samples.append(fo.Sample(filepath=str(path), **{field: value}))
    dataset.add_samples(samples)
    return dataset


@pytest.fixture(scope="module")
def make_shared_dataset(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DatasetFactory]:
    """:func:`build_dataset` without the folder; deleted after the module's tests."""
    yield from _factory(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def make_dataset(tmp_path: Path) -> Iterator[DatasetFactory]:
    """:func:`build_dataset` without the folder; deleted after the test."""
    yield from _factory(tmp_path)


@pytest.fixture
def make_videos(tmp_path: Path) -> Iterator[DatasetFactory]:
    """:func:`tests.videos.build_videos` without the folder; deleted after the test."""
    from tests.videos import build_videos

    made: list[Any] = []

    def make(**how: Any) -> Any:
        made.append(build_videos(tmp_path, **how))
        return made[-1]

    yield make
    for dataset in made:
        dataset.delete()


@pytest.fixture
def videos(make_videos: DatasetFactory) -> Any:
    """The videos with a label for each whole frame."""
    return make_videos()


@pytest.fixture
def frames(videos: Any) -> Any:
    """All frames as FiftyOne samples them; their images lie there already."""
    return videos.to_frames(sample_frames=True)


def _factory(folder: Path) -> Iterator[DatasetFactory]:
    import fiftyone as fo

    made: list[Any] = []

    def make(labels: Sequence[str | None], *, field: str = "ground_truth") -> Any:
        made.append(build_dataset(folder / f"images{len(made)}", labels, field=field))
        return made[-1]

    yield make
    for dataset in made:
        if fo.dataset_exists(dataset.name):
            dataset.delete()
