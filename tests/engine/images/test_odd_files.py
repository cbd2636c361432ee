"""Odd image files: what is said of them, where, and how much memory they take."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from fiftyone_dfaulo.engine.images import decoding
from fiftyone_dfaulo.engine.images.at_once import Pixels
from fiftyone_dfaulo.engine.images.batches import decode_images
from fiftyone_dfaulo.engine.images.decoding import Crop

WORKERS = 4


def noise(side: int = 64) -> Image.Image:
    rng = np.random.default_rng(51)
    return Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8))


def damaged(path: Path, compression: str) -> str:
    """A TIFF whose header is sound and whose pixels are not."""
    stream = io.BytesIO()
    noise().save(stream, "TIFF", compression=compression)
    data = bytearray(stream.getvalue())
    for position in range(20, 400):
        data[position] ^= 0x5A
    path.write_bytes(data)
    return str(path)


def cut(path: Path) -> str:
    """A TIFF that ends before its header is read."""
    stream = io.BytesIO()
    noise().save(stream, "TIFF", compression="tiff_lzw")
    path.write_bytes(stream.getvalue()[:5000])
    return str(path)


def decode(*paths: Any, workers: int = WORKERS) -> dict[int, str]:
    """The reasons of those that cannot be read."""
    return decode_images(paths, size=8, workers=workers, memory_budget=10**8).unreadable


def test_the_reason_is_what_the_library_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [
        damaged(tmp_path / "a.tif", "jpeg"),
        damaged(tmp_path / "b.tif", "tiff_adobe_deflate"),
        damaged(tmp_path / "c.tif", "tiff_lzw"),
        cut(tmp_path / "d.tif"),
    ]
    reasons = decode(*paths)
    assert "JPEGLib: " in reasons[0]
    assert "ZIPDecode: Decoding error" in reasons[1]
    assert reasons[2] == "decoder error -2: Using code not yet in table"
    assert reasons[3].startswith("not an image, or a damaged one: Corrupt EXIF data.")
    assert not any(
        "\n" in reason or str(tmp_path) in reason for reason in reasons.values()
    )
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_many_odd_files_at_once_print_nothing(tmp_path: Path) -> None:
    """In a process of its own, where no test framework catches anything."""
    for n in range(40):
        damaged(tmp_path / f"a{n}.tif", ("jpeg", "tiff_lzw")[n % 2])
        cut(tmp_path / f"b{n}.tif")
        noise().save(tmp_path / f"c{n}.png")
    program = (
        "import sys; from pathlib import Path\n"
        "from fiftyone_dfaulo.engine.images.batches import decode_images\n"
        "paths = sorted(map(str, Path(sys.argv[1]).iterdir()))\n"
        "done = decode_images(paths, size=8, workers=8, memory_budget=10**8)\n"
        "print(len(done.index), len(done.unreadable))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("40 80\n", "")


def test_what_others_warn_of_meanwhile_and_after_is_heard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, inside, said = damaged(tmp_path / "a.tif", "jpeg"), [], threading.Event()
    real = ImageFile.ImageFile.load

    def load(self: Any) -> Any:  # while this thread decodes, another one warns
        if threading.current_thread().name.startswith("dfaulo-decode"):
            other = threading.Thread(target=warn)
            other.start()
            other.join()
        return real(self)

    def warn() -> None:
        inside.append(True)
        try:
            Image.open(path).load()
        except OSError:
            said.set()

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    before = (warnings.showwarning, list(warnings.filters))
    assert list(decode(str(tmp_path / "a.tif"))) == [0]
    assert (warnings.showwarning, list(warnings.filters)) == before
    assert inside
    assert said.is_set()
    assert capfd.readouterr().err.count("JPEGLib: ") == 1
    warn()
    assert capfd.readouterr().err.count("JPEGLib: ") == 1


def test_pillow_still_logs_to_others(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("PIL.TiffImagePlugin").error("to whom it may concern")
    assert caplog.messages == ["to whom it may concern"]


def test_a_warning_is_no_error_of_a_readable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    assert decode(str(tmp_path / "a.png")) == {}  # with warnings as errors


# ---- HEIC and HEIF ----

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_without_pillow_heif_the_reason_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(HEIC)
    assert decode(str(tmp_path / "a.heic"))[0] == (
        "it is a HEIC or HEIF image, which takes pillow-heif to read: "
        "pip install 'fiftyone-dfaulo[heif]'"
    )


def test_with_it_they_are_read(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the test extra is not installed")
    red = Image.new("RGB", (64, 64), (250, 10, 10))
    heif.from_pillow(red).save(tmp_path / "a.heic")
    (tmp_path / "b.heic").write_bytes(HEIC)
    paths = [str(tmp_path / name) for name in ("a.heic", "b.heic")]
    decoded = decode_images(paths, size=8, workers=1, memory_budget=10**6)
    assert decoded.index.tolist() == [0]
    assert np.abs(decoded.pixels[0].astype(int) - (250, 10, 10)).max() <= 8
    assert decoded.unreadable[1]
    assert decoding.read_shape(paths[0]) == (64, 64, 3)


# ---- many pixels in few bytes ----


def test_pixels_at_once_are_bounded_and_one_image_always_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # 100 pixels at once
    pixels, seen, lock = Pixels(), [], threading.Lock()
    held = 0

    def work(size: tuple[int, int]) -> None:
        nonlocal held
        with pixels.take(size):
            with lock:
                held += size[0] * size[1]
                seen.append(held)
            with lock:
                held -= size[0] * size[1]

    sizes = [(10, 6), (10, 4), (5, 5), (1, 1)] * 50
    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(sizes)
    assert max(seen) <= 100
    work((100, 100))  # alone
    assert seen[-1] == 10_000


@pytest.mark.parametrize("crops", [False, True])
def test_eight_bombs_at_once_take_the_memory_of_one(
    tmp_path: Path, crops: bool
) -> None:
    """9 megapixels each in 2 KB; a process of its own, whose peak is its own."""
    paths = [str(tmp_path / "bomb.png"), str(tmp_path / "small.png")]
    Image.new("1", (3000, 3000)).save(paths[0])
    Image.new("1", (8, 8)).save(paths[1])
    assert Path(paths[0]).stat().st_size < 2_000
    program = (
        "import resource, sys; from PIL import Image\n"
        "from fiftyone_dfaulo.engine.images.batches import decode_images\n"
        "from fiftyone_dfaulo.engine.images.decoding import Crop\n"
        "Image.MAX_IMAGE_PIXELS = 4_500_000\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sources = sys.argv[2:3] + 7 * sys.argv[3:]\n"  # a task, of one thread
        "crop = (lambda p: Crop(p, (0, 0, 1, 1))) if sys.argv[1] == 'True' else str\n"
        "sources = 8 * [crop(path) for path in sources]\n"
        "before = peak()\n"
        "done = decode_images(sources, size=8, workers=8, memory_budget=10**8)\n"
        "print(len(done.index), (peak() - before) * 1024 / 9e6)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(crops), *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    count, bytes_a_pixel = done.stdout.split()
    assert (count, done.stderr) == ("64", "")
    # one has 1 byte a pixel as it is decoded and 4 as RGB; eight have 40
    assert float(bytes_a_pixel) < 10


def test_beyond_pillows_limit_the_reason_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (100, 100)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_999)
    path = str(tmp_path / "a.png")
    for source in (path, Crop(path, (0, 0, 1, 1))):
        assert "exceeds limit of 9998 pixels" in decode(source)[0]
