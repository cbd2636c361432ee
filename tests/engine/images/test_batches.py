from __future__ import annotations

import builtins
import shutil
import struct
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fiftyone_dfaulo.engine.images import batches
from fiftyone_dfaulo.engine.images.batches import (
    choose_size,
    decode_images,
    iter_batches,
)
from fiftyone_dfaulo.errors import Cancelled, InputError

WHITE, RED = (255, 255, 255), (255, 0, 0)


def save(image: Image.Image, path: Path, **options: Any) -> str:
    image.save(path, **options)
    return str(path)


def decode(
    paths: list[str], size: int | None = 8, workers: int = 2, budget: int = 10**9
) -> batches.Images:
    return decode_images(paths, size=size, workers=workers, memory_budget=budget)


def pixel(path: str, size: int = 8, row: int = 0, column: int = 0) -> tuple[int, ...]:
    decoded = decode([path], size)
    assert decoded.unreadable == {}
    return tuple(decoded.pixels[0, row, column].tolist())


def grey16(*values: int) -> Image.Image:
    return Image.fromarray(np.array([values] * 2, np.uint16))


def numbered(folder: Path, count: int) -> list[str]:
    """Images whose pixels all have the value of their position."""
    return [
        save(Image.new("L", (4, 4), number), folder / f"{number}.png")
        for number in range(count)
    ]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Pillow opens from now on, in order."""
    paths: list[str] = []
    real_open = Image.open

    def open_and_note(path: str) -> Image.Image:
        paths.append(path)
        return real_open(path)

    monkeypatch.setattr(Image, "open", open_and_note)
    return paths


def decoding_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("dfaulo-decode")]


def test_one_dataset_may_mix_every_format_and_damaged_files(tmp_path: Path) -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30])
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    whole = Path(save(Image.fromarray(noise), tmp_path / "whole.jpg")).read_bytes()
    (tmp_path / "zero.png").touch()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    grey = save(Image.new("L", (8, 8), 77), tmp_path / "grey.png")
    paths = [
        grey,
        str(tmp_path / "zero.png"),
        save(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), tmp_path / "clear.png"),
        str(tmp_path / "cut.jpg"),
        save(palette, tmp_path / "palette.png"),
        str(tmp_path / "missing.png"),
        save(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), tmp_path / "cyan.jpg"),
        str(tmp_path),
        save(Image.new("I;16", (8, 8), 0x8000), tmp_path / "grey16.png"),
        str(tmp_path / "text.png"),
        grey,
    ]

    decoded = decode(paths)

    assert decoded.index.tolist() == [0, 2, 4, 6, 8, 10]
    assert decoded.index.dtype == np.int64
    assert decoded.pixels.shape == (6, 8, 8, 3)
    assert decoded.pixels.dtype == np.uint8
    expected = [(77,) * 3, WHITE, (10, 20, 30), (0, 255, 255), (128,) * 3, (77,) * 3]
    for pixels, colour in zip(decoded.pixels, expected, strict=True):
        assert np.abs(pixels - np.array(colour)).max() <= 2
    assert sorted(decoded.unreadable) == [1, 3, 5, 7, 9]
    assert decoded.unreadable[1] == "the file is empty"
    assert "truncated" in decoded.unreadable[3]
    assert decoded.unreadable[5] == "No such file or directory"
    assert decoded.unreadable[7] == "it is a folder"
    assert decoded.unreadable[9] == "not an image, or a damaged one"


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_by_its_full_range(tmp_path: Path, suffix: str) -> None:
    image = grey16(0, 0x7FFF, 0x8000, 65535)
    path = save(image.resize((4, 4), 0), tmp_path / f"a.{suffix}")
    row = decode([path], 4).pixels[0, 0]
    assert row.tolist() == [[0] * 3, [127] * 3, [128] * 3, [255] * 3]


def test_a_dark_16_bit_image_stays_dark(tmp_path: Path) -> None:
    for suffix in ("png", "pgm"):
        path = save(grey16(255, 255), tmp_path / f"a.{suffix}")
        assert pixel(path, 2) == (0, 0, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 32896.0, 65535.0], [0, 128, 255]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([0.0, 5e5, 1e6], [0, 128, 255]),
        ([np.nan, 0.2, np.inf], [0, 51, 0]),
    ],
)
def test_float_images_are_scaled_by_the_range_that_holds_them(
    tmp_path: Path, values: list[float], expected: list[int]
) -> None:
    array = np.array([values] * 3, np.float32)
    path = save(Image.fromarray(array), tmp_path / "float.tif")
    assert decode([path], 3).pixels[0, 0, :, 0].tolist() == expected


@pytest.mark.parametrize("values", [[0, 255, 7], [0, 65535, 1799]])
def test_32_bit_integers_are_scaled_by_the_range_that_holds_them(
    tmp_path: Path, values: list[int]
) -> None:
    array = np.array([values] * 3, np.int32)
    path = save(Image.fromarray(array), tmp_path / "int.tif")
    assert decode([path], 3).pixels[0, 0, :, 0].tolist() == [0, 255, 7]


def test_a_float_image_of_one_value_below_zero_is_readable(tmp_path: Path) -> None:
    path = save(Image.new("F", (4, 4), -3.0), tmp_path / "flat.tif")
    assert pixel(path, 4) == (0, 0, 0)


def test_transparency_is_composited_on_white(tmp_path: Path) -> None:
    half_red = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    assert pixel(save(half_red, tmp_path / "rgba.png")) == (255, 127, 127)
    half_black = Image.new("LA", (8, 8), (0, 128))
    assert pixel(save(half_black, tmp_path / "la.png")) == (127, 127, 127)
    keyed = save(Image.new("RGB", (8, 8), RED), tmp_path / "k.png", transparency=RED)
    assert pixel(keyed) == WHITE


def test_transparent_palette_entries_are_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    for suffix in ("png", "gif"):
        path = save(image, tmp_path / f"a.{suffix}", transparency=0)
        assert pixel(path, 2) == WHITE
        assert pixel(path, 2, column=1) == (40, 50, 60)


def test_the_colour_of_transparent_pixels_does_not_bleed(tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 16, 8))
    small = decode([save(image, tmp_path / "a.png")], 4).pixels[0]
    assert (small[:, :, 0] <= small[:, :, 2]).all()


def test_bilevel_and_cmyk_tiffs_are_readable(tmp_path: Path) -> None:
    assert pixel(save(Image.new("1", (8, 8), 1), tmp_path / "bit.tif")) == WHITE
    black = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    assert pixel(save(black, tmp_path / "black.tif")) == (0, 0, 0)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    # What a viewer shows at the corners (0, 0) and (0, 7) of an image whose stored
    # top row is 100 except for a first pixel of 200, by the EXIF standard.
    shown = {
        1: (200, 100), 2: (100, 200), 3: (0, 0), 4: (0, 0),
        5: (200, 0), 6: (0, 200), 7: (0, 100), 8: (100, 0),
    }[orientation]  # fmt: skip
    stored = np.zeros((8, 8), np.uint8)
    stored[0] = 100
    stored[0, 0] = 200
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(stored), tmp_path / f"a.{suffix}", exif=exif)
    upright = decode([path]).pixels[0, :, :, 0]
    assert (upright[0, 0], upright[0, 7]) == shown


def test_damaged_exif_data_do_not_make_an_image_unreadable(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 4\nno hexadecimal\n")
    path = save(Image.new("L", (8, 8), 9), tmp_path / "a.png", pnginfo=info)
    assert pixel(path) == (9, 9, 9)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_of_the_right_size_is_not_changed(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"a.{suffix}")
    with Image.open(path) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(decode([path], 16).pixels[0], expected)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_shrinking_averages_and_squashes_the_whole_image(
    tmp_path: Path, suffix: str
) -> None:
    # One-pixel stripes would alias without antialiasing; the right half is black.
    stripes = np.zeros((64, 128), np.uint8)
    stripes[:, :64:2] = 200
    small = decode([save(Image.fromarray(stripes), tmp_path / f"a.{suffix}")]).pixels
    assert np.abs(small[0, :, :3] - 100.0).max() <= 8
    assert small[0, :, 5:].max() <= 8


def test_too_many_pixels_are_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(Image.new("L", (50, 50)), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    reason = decode([path]).unreadable[0]
    assert "2500 pixels" in reason
    assert "\n" not in reason


def test_a_damaged_png_is_unreadable(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    path = Path(save(Image.fromarray(noise), tmp_path / "a.png"))
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"junk" * 10 + data[140:])
    assert list(decode([str(path)]).unreadable) == [0]
    path.write_bytes(data[:20] + struct.pack(">I", 0) + data[24:])  # no rows
    assert list(decode([str(path)]).unreadable) == [0]


def test_batches_come_in_the_order_of_the_paths(tmp_path: Path) -> None:
    paths = numbered(tmp_path, 25)
    paths[11] = str(tmp_path / "missing")
    paths[20:] = [str(tmp_path / "missing")] * 5
    for workers in (1, 3):
        batches = list(iter_batches(paths, size=4, batch_size=10, workers=workers))
        index = [batch.index.tolist() for batch in batches]
        assert index == [[*range(10)], [10, *range(12, 20)], []]
        assert [list(batch.unreadable) for batch in batches] == [
            [],
            [11],
            [20, 21, 22, 23, 24],
        ]
        for batch in batches:
            assert batch.pixels.shape == (len(batch.index), 4, 4, 3)
            np.testing.assert_array_equal(batch.pixels[:, 0, 0, 0], batch.index)


class AtOnce(ThreadPoolExecutor):
    """Finishes each task while it is submitted, as infinitely fast threads would."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(*args, **kwargs)
        wait([future])
        return future


def test_few_batches_are_decoded_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    monkeypatch.setattr(batches, "ThreadPoolExecutor", AtOnce)
    paths = numbered(tmp_path, 5) * 20
    with closing(iter_batches(paths, size=4, batch_size=10, workers=2)) as some:
        next(some)
        assert len(opened) == 30
        next(some)
        assert len(opened) == 40


def test_closing_early_ends_the_threads(tmp_path: Path, opened: list[str]) -> None:
    paths = numbered(tmp_path, 5) * 20
    with closing(iter_batches(paths, size=4, batch_size=10, workers=2)) as batches:
        next(batches)
        assert decoding_threads() != []
    assert decoding_threads() == []
    assert 10 <= len(opened) <= 30


def test_each_image_is_decoded_once(tmp_path: Path, opened: list[str]) -> None:
    paths = numbered(tmp_path, 20)
    decode(paths, 4)
    assert sorted(opened) == sorted(paths)


def test_beyond_the_budget_pixels_are_mapped_from_a_file_that_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    paths = [*numbered(tmp_path, 9), str(tmp_path / "missing")]
    kept = decode(paths, 4, budget=10 * 4 * 4 * 3)
    streamed = decode(paths, 4, budget=10 * 4 * 4 * 3 - 1)
    assert not isinstance(kept.pixels, np.memmap)
    assert isinstance(streamed.pixels, np.memmap)
    assert list(folder.iterdir()) == []
    np.testing.assert_array_equal(kept.pixels, streamed.pixels)
    assert kept.index.tolist() == streamed.index.tolist() == [*range(9)]
    assert list(streamed.unreadable) == [9]


def test_pixels_on_disk_can_be_written_to(tmp_path: Path) -> None:
    pixels = decode(numbered(tmp_path, 2), 4, budget=1).pixels
    pixels[0] = 200
    assert (pixels[0] == 200).all()


@pytest.mark.parametrize("budget", [1, 10**9])
def test_a_dataset_without_any_readable_image_gives_no_pixels(budget: int) -> None:
    for paths in ([], ["/nowhere/1.png", "/nowhere/2.png"]):
        decoded = decode(paths, 4, budget=budget)
        assert decoded.pixels.shape == (0, 4, 4, 3)
        assert decoded.index.shape == (0,)
        assert list(decoded.unreadable) == [*range(len(paths))]


def test_a_disk_known_to_be_too_small_is_an_error_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    monkeypatch.setattr(Image, "open", pytest.fail)
    with pytest.raises(InputError, match=r"memory_budget.*TMPDIR"):
        decode([str(tmp_path / "a.png")], 4, budget=1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = numbered(tmp_path, 3)
    monkeypatch.setattr(
        tempfile,
        "TemporaryFile",
        lambda buffering: builtins.open("/dev/full", "w+b", buffering),  # noqa: SIM115
    )
    with pytest.raises(InputError, match=r"No space left on device.*TMPDIR"):
        decode(paths, 4, budget=1)
    assert decoding_threads() == []


@pytest.mark.parametrize("budget", [1, 10**9])
def test_progress_is_reported_once_per_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(batches, "_BATCH", 4)
    seen: list[float] = []
    decode_images(
        numbered(tmp_path, 10),
        size=4,
        workers=2,
        memory_budget=budget,
        report=seen.append,
    )
    assert seen == [0.4, 0.8, 1.0]


@pytest.mark.parametrize("budget", [1, 10**9])
def test_a_report_that_raises_stops_the_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str], budget: int
) -> None:
    monkeypatch.setattr(batches, "_BATCH", 4)
    paths = numbered(tmp_path, 4) * 50

    def report(fraction: float) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        decode_images(paths, size=4, workers=2, memory_budget=budget, report=report)
    assert len(opened) <= 12
    assert decoding_threads() == []


@pytest.mark.parametrize(
    ("side", "expected"), [(1, 8), (8, 8), (12, 16), (28, 32), (47, 32), (500, 64)]
)
def test_the_size_is_the_nearest_power_of_two(
    tmp_path: Path, side: int, expected: int
) -> None:
    path = save(Image.new("L", (side, max(1, side // 2))), tmp_path / "a.png")
    assert choose_size([path]) == expected


def test_the_size_is_that_of_the_median_readable_image(tmp_path: Path) -> None:
    small = save(Image.new("L", (8, 8)), tmp_path / "small.png")
    large = save(Image.new("L", (64, 64)), tmp_path / "large.png")
    missing = str(tmp_path / "missing.png")
    assert choose_size([small, missing, missing, large, small]) == 8
    assert choose_size([missing]) == 32
    assert choose_size([]) == 32
    assert decode([small, small, large], None).pixels.shape == (3, 8, 8, 3)


def test_the_size_is_told_from_a_few_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    path = save(Image.new("L", (16, 16)), tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "load", pytest.fail)
    assert choose_size([path] * 1000) == 16
    assert 128 <= len(opened) <= 256
