"""What a model's file holds, and what is refused before anything is loaded."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fiftyone_dfaulo.engine.models import file_format
from fiftyone_dfaulo.errors import InputError


class Hostile:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def refused(path: Path, factory: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        file_format.check_file(str(path), factory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_are_told_from_pickles_without_loading(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for name, zipped in (("new.pt", True), ("old.pt", False)):
        path = tmp_path / name
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zipped)
        if zipped:
            assert file_format.check_file(str(path), "a:b") == file_format.WEIGHTS
        else:
            assert "format from before torch 1.6" in refused(path, "a:b")
        torch.save(network, path, _use_new_zipfile_serialization=zipped)
        text = refused(path, "a:b")
        assert "is a pickled object" in text
        assert "torch.nn.modules.container.Sequential" in text
        assert "torch.save(model.state_dict(), 'model.pt')" in text
        assert "trust_model_file=True" in text


@pytest.mark.parametrize("protocol", [2, 4])
def test_hostile_pickle_is_refused_and_does_not_run(
    tmp_path: Path, protocol: int
) -> None:
    mark = tmp_path / "executed"
    for name in ("raw.pkl", "saved.pt", "old.pt"):
        path = tmp_path / name
        if name == "raw.pkl":
            path.write_bytes(pickle.dumps(Hostile(mark), protocol))
        else:
            zipped = name == "saved.pt"
            torch.save(Hostile(mark), path, _use_new_zipfile_serialization=zipped)
        refused(path)
        assert not mark.exists()


def test_weights_need_a_factory(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(1)}, path)
    assert "pass factory='package.module:function'" in refused(path)


def write_zip(path: Path, name: str, size: int) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as entry,
    ):
        for _ in range(size // 2**20):
            entry.write(bytes(2**20))


@pytest.mark.parametrize("name", ["a/data.pkl", "a/constants.pkl", "a/models/m.json"])
def test_zip_bomb_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb.pt"
    write_zip(path, name, 2**26)
    assert path.stat().st_size < 2**18
    assert "zip bomb" in refused(path)
    assert "Nothing of it was loaded" in refused(path)


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", bytes(1000))
        entry = archive.infolist()[0]
        for number in range(50):
            copy = zipfile.ZipInfo(f"a/data/{number}")
            copy.header_offset, copy.CRC = entry.header_offset, entry.CRC
            copy.compress_size = copy.file_size = 1000
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    assert "overlap" in refused(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"<html>please log in</html>", "no archive that a model can be loaded from"),
        (b"PK\x03\x04 and no more", "damaged archive"),
        (struct.pack("<Q", 2**40) + b"{", "no archive that a model"),
    ],
)
def test_what_is_no_archive_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert expected in refused(path)


def test_other_archives_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", b"1")
    assert "none of torch's: it holds 'photo.jpg'" in refused(path)
    assert "cannot be opened (No such file" in refused(tmp_path / "missing.pt")
    assert "is no file" in refused(tmp_path)


def test_looking_at_a_file_does_not_import_torch(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(1)}, path)
    script = (
        "import sys; from fiftyone_dfaulo.engine.models import file_format; "
        f"file_format.check_file({str(path)!r}, 'a:b'); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
