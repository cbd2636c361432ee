"""The folder of kept work: only what is whole is read, within a bound."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.engine.cache import folder as module
from fiftyone_dfaulo.engine.cache.digest import digest, file_state
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Keeper, Work

RUN = RunOf("5f00", "photos", "dfaulo")


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "cache", 10**7)


def work(place: Folder, run: RunOf = RUN) -> Work:
    return Work(Keeper(place, run), "embeddings").of("some model")


def files(place: Folder, kind: str = "work") -> list[Path]:
    return sorted(one for one in (place.path / kind).rglob("*") if one.is_file())


def test_arrays_come_back_as_they_were(place: Folder) -> None:
    given = {
        "floats": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],
        "none": np.zeros((0, 3), np.int64),
        "one": np.array(2.5),
        "bits": np.array([True, False]),
    }
    work(place).save(**given)
    found = work(place).load()
    assert found is not None
    assert {*found} == {*given}
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert found[name].tolist() == array.tolist()
        assert found[name].shape == array.shape
    assert work(place).of("more").load() is None


@pytest.mark.parametrize(
    "harm", ["cut", "empty", "bit", "foreign", "another", "folder"]
)
def test_what_is_not_whole_is_as_if_it_were_not_there(place: Folder, harm: str) -> None:
    one, other = work(place), work(place).of("other")
    one.save(values=np.arange(100))
    (file,) = files(place)
    data = bytearray(file.read_bytes())
    other.save(values=np.arange(50))
    if harm == "another":  # a whole file, but under another key
        (second,) = {*files(place)} - {file}
        data = bytearray(second.read_bytes())
    elif harm == "bit":
        data[-3] ^= 1
    data = {"cut": data[:-1], "empty": data[:0]}.get(harm, data)
    file.unlink()
    if harm == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"\x80\x04 a pickle, say" if harm == "foreign" else data)
    assert one.load() is None
    if harm != "folder":
        one.save(values=np.arange(3))
        found = one.load()
        assert found is not None
        assert found["values"].tolist() == [0, 1, 2]


def test_only_the_owner_sees_what_lies_there(place: Folder) -> None:
    work(place).save(values=np.arange(3))
    seen = [place.path, *place.path.rglob("*")]
    assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in seen} == {0}


def test_what_nobody_has_used_for_longest_goes_first(tmp_path: Path) -> None:
    place = Folder(tmp_path, 10_000)
    works = [work(place).of(n) for n in range(9)]
    for n, one in enumerate(works):
        one.save(values=np.zeros(125, np.int64))  # 1,000 bytes, and a head
        for path in files(place):
            if path.stat().st_mtime > 1000:  # new, or just used
                os.utime(path, (n, n))
    assert place.size() <= 10_000
    first = works[0].load()  # used again
    assert first is not None
    works[0].of("new").save(values=np.zeros(125, np.int64))
    there = [one.load() is not None for one in works]
    assert place.size() <= 10_000
    assert there[0]
    assert not there[1]
    assert there[-1]


def test_what_is_larger_than_the_bound_is_not_kept_and_displaces_nothing(
    tmp_path: Path,
) -> None:
    one, place = work(Folder(tmp_path, 5_000)), Folder(tmp_path, 5_000)
    one.save(values=np.zeros(100, np.int64))
    one.of("large").save(values=np.zeros(1_000, np.int64))
    assert one.of("large").load() is None
    assert one.load() is not None
    assert "limit" in one.notes[0]
    assert place.size() < 5_000


def test_without_a_bound_the_disk_keeps_as_much_free_as_the_folder_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Folder(tmp_path / "not" / "there")
    usage = type("Usage", (), {"free": 7_000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    assert place.limit() == 3_500
    one = work(place)
    one.save(values=np.zeros(125, np.int64))
    assert place.limit() == (7_000 + place.size()) // 2


@pytest.mark.parametrize("why", ["full", "forbidden", "a file"])
def test_where_nothing_can_be_written_the_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    place = Folder(tmp_path / "cache", 10**7)
    one = work(place)
    if why == "a file":
        place.path.write_text("mine")
    else:
        number = {"full": errno.ENOSPC, "forbidden": errno.EACCES}[why]

        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(module.os, "replace", refuse)
    one.save(values=np.arange(3))
    one.of("more").save(values=np.arange(3))
    assert one.load() is None
    (note,) = one.notes
    assert str(place.path) in note
    if why != "a file":
        assert files(place) == []  # no temporary file is left


def test_a_temporary_file_of_a_process_that_died_goes(place: Folder) -> None:
    work(place).save(values=np.arange(3))
    (file,) = files(place)
    old, new = file.with_name("a.tmp"), file.with_name("b.tmp")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    fresh = Folder(place.path, 10**7)
    work(fresh).of("more").save(values=np.arange(3))
    assert not old.exists()
    assert new.exists()


def write_often(path: Path, seed: int) -> None:
    for n in range(60):
        own = Folder(path, 40_000)
        one = work(own, RUN._replace(brain_key=f"run{seed}")).of(n % 20)
        one.save(values=np.full(250, n % 20))
        found = one.load()
        assert found is None or found["values"].tolist() == [n % 20] * 250


def test_two_processes_may_write_the_same_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    pair = [context.Process(target=write_often, args=(tmp_path, n)) for n in (1, 2)]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
        assert one.exitcode == 0
    place = Folder(tmp_path, 40_000)
    for n in range(20):
        found = work(place).of(n).load()
        assert found is None or found["values"].tolist() == [n] * 250
    assert place.size() <= 60_000  # each looks by itself how much there is
    assert not [one for one in files(place) if one.suffix == ".tmp"]


def test_work_is_listed_by_run_and_cleared_with_it(place: Folder) -> None:
    first, second = work(place), work(place, RunOf("5f01", "a/b\nc", "other"))
    first.save(values=np.arange(3))
    first.as_kind("network").save(values=np.arange(4))
    second.of("own").save(values=np.arange(5))
    assert second.load() is not None  # shared
    listed = {one.run.dataset: one for one in place.runs()}
    assert listed["photos"].entries == {"embeddings": 1, "network": 1}
    assert listed["a/b\nc"].entries == {"embeddings": 2}
    assert sum(one.bytes for one in listed.values()) > place.size()

    assert place.clear("photos", "no such run") == 0
    place.rename(RUN, "renamed")
    assert place.clear("photos", "dfaulo") == 0
    assert place.clear("5f00", "renamed") > 0
    assert [one.run.dataset for one in place.runs()] == ["a/b\nc"]
    assert first.load() is None
    assert second.of("own").load() is not None
    assert place.clear() > 0
    assert files(place) == []
    assert files(place, "runs") == []


def test_a_list_that_names_other_files_deletes_none(place: Folder) -> None:
    work(place).save(values=np.arange(3))
    precious = place.path / "precious.txt"
    precious.write_text("mine")
    (listed,) = files(place, "runs")
    with listed.open("a") as file:
        file.write("../precious.txt\nembeddings/../../precious\n\x00\n")
    place.clear("photos")
    assert precious.read_text() == "mine"


def test_without_a_keeper_nothing_is_kept() -> None:
    UNKEPT.of("x").save(values=np.arange(3))
    assert UNKEPT.of("x").load() is None
    assert UNKEPT.notes == ()


def test_no_two_values_have_the_same_digest() -> None:
    values: list[Any] = [None, 0, 0.0, False, "", "0", b"", b"0", [], [[]], {}, "a"]
    values += [["a", "b"], ["ab"], [["a"], "b"], {"a": 1}, {"a": "1"}, ("ab", "")]
    values += [np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.zeros(())]
    values += [np.arange(4), np.arange(4)[::-1], "\ud800"]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(np.arange(9)[::2]) == digest(np.arange(9)[::2].copy())
    with pytest.raises(TypeError, match="object"):
        digest(object())


def test_a_file_that_changed_is_another_even_with_its_old_date(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    assert file_state(str(file)) == (str(file), None)
    file.write_bytes(b"one")
    before, dates = file_state(str(file)), file.stat()
    assert file_state(str(file)) == before
    new = tmp_path / "new"
    new.write_bytes(b"two")
    os.utime(new, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    os.replace(new, file)
    assert file_state(str(file)) != before
