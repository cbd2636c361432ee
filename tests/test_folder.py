"""From a folder of class folders to a gallery, as the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

SCRIPT = Path(__file__).parents[1] / "examples" / "folder.py"


def test_a_folder_of_digits_becomes_a_gallery_of_its_wrong_labels(
    tmp_path: Path,
) -> None:
    command = [sys.executable, str(SCRIPT), "--epochs", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1797 samples scored" in done.stdout
    top = re.findall(
        r"^  \d\.\d{3}  (\d) looks like (\d)  (\d)/\d{4}-is-(\d)\.png$",
        done.stdout,
        re.MULTILINE,
    )
    assert len(top) == 10
    assert all(given == folder for given, _, folder, _ in top)
    assert sum(given != true and seen == true for given, seen, _, true in top) >= 8
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.png"]
    with Image.open(tmp_path / "gallery.png") as picture:
        assert min(picture.size) > 800


def test_folders_of_classes_are_read_without_train_too(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for name, tone in (("cat", 20), ("dog", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (16, 16), tone + number).save(
                folder / name / f"{number}.png"
            )
    gallery = tmp_path / "pets.png"
    command = [sys.executable, str(SCRIPT), str(folder), "--gallery", str(gallery)]
    done = subprocess.run([*command, "--epochs", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "24 samples scored" in done.stdout
    assert gallery.is_file()
