"""From a folder of class folders to a gallery, as the README says."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fiftyone as fo
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("nobody_else")

SCRIPT = Path(__file__).parents[1] / "examples" / "folder.py"

Run = Callable[..., str]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Run]:
    """Runs the script in this process, in an empty folder; what it prints."""
    before = set(fo.list_datasets())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    yield run
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


def test_a_folder_of_digits_becomes_a_gallery_of_its_wrong_labels(
    run: Run, tmp_path: Path
) -> None:
    printed = run("--epochs", "4")
    assert "1797 samples scored" in printed
    top = re.findall(
        r"^  \d\.\d{3}  (\d) looks like (\d)  (\d)/\d{4}-is-(\d)\.png$",
        printed,
        re.MULTILINE,
    )
    assert len(top) == 10
    assert all(given == folder for given, _, folder, _ in top)
    assert sum(given != true and seen == true for given, seen, _, true in top) >= 8
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.png"]
    with Image.open(tmp_path / "gallery.png") as picture:
        assert min(picture.size) > 800


def test_folders_of_classes_are_read_without_train_too(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "pets"
    for name, tone in (("cat", 20), ("dog", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (16, 16), tone + number).save(
                folder / name / f"{number}.png"
            )
    gallery = tmp_path / "pets.png"
    printed = run(folder, "--gallery", gallery, "--epochs", "1")
    assert "24 samples scored" in printed
    assert gallery.is_file()
