"""Faults are planted in a copy, known for what they are, and taken back exactly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo import (
    Cancelled,
    InputError,
    RunError,
    compute_suspiciousness,
    inject_faults,
    revert_faults,
)
from fiftyone_dfaulo.adapter.injection import inject, planting
from fiftyone_dfaulo.adapter.injection.request import Injection
from fiftyone_dfaulo.adapter.reading.label_fields import list_label_fields
from fiftyone_dfaulo.adapter.storage import declaration
from fiftyone_dfaulo.engine.injection.plans import KINDS, LABEL, PAINTED, TAKEN

FIELDS = [
    "injected_fault",
    "injected_kind",
    "injected_true_label",
    "injected_original_filepath",
]
LEFT_OUT = {"_dataset_id", "created_at", "last_modified_at"}


@pytest.fixture
def pictures(make_dataset: Callable[..., Any]) -> Any:
    """90 images of classes a, b, c; 5 and 50 have no label; labels hold all sorts."""
    labels: list[str | None] = [*"abc" * 30]
    labels[5] = labels[50] = None
    dataset = make_dataset(labels)
    for number, sample in enumerate(dataset.exists("ground_truth.label")):
        sample.ground_truth["confidence"] = number / 100
        sample.ground_truth["source"] = f"person {number}"
        sample.ground_truth.tags = ["checked"] if number % 7 == 0 else []
        sample.save()
    dataset.set_values("vectors", np.random.default_rng(0).normal(size=(90, 3)))
    return dataset


@pytest.fixture(autouse=True)
def no_copies_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Deletes the copies that a test makes; new images go into a folder of its own."""
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "default"))
    before = set(fo.list_datasets())
    yield
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


def documents(dataset: Any) -> list[dict[str, Any]]:
    """The samples as the database has them, but for what a copy has of its own."""
    found = dataset._sample_collection.find().sort("_id", 1)
    return [{k: v for k, v in d.items() if k not in LEFT_OUT} for d in found]


def exact(dataset: Any) -> list[bytes]:
    """The same, byte for byte: with the order and the types of all values."""
    return [bson.encode(document) for document in documents(dataset)]


def files(folder: str | Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def schema(dataset: Any) -> dict[str, str]:
    return {n: str(f) for n, f in dataset.get_field_schema(flat=True).items()}


def images_of(dataset: Any) -> str:
    return os.path.dirname(dataset.first().filepath)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_differs_from_its_dataset_by_the_planted_faults_alone(
    pictures: Any, kind: str
) -> None:
    before, shown = exact(pictures), files(images_of(pictures))
    originals = {document["_id"]: document for document in documents(pictures)}
    copy = inject_faults(pictures, kind=kind, rate=0.2)
    assert exact(pictures) == before
    assert files(images_of(pictures)) == shown
    assert list(schema(copy))[: len(schema(pictures))] == list(schema(pictures))
    assert [*copy.get_field_schema()][-4:] == FIELDS

    done = []
    for document in documents(copy):
        fault, what, true, path = (document.pop(name, None) for name in FIELDS)
        original = originals.pop(document["_id"])
        assert true == original.get("ground_truth")
        changed = {k for k in original if bson_of(original, k) != bson_of(document, k)}
        assert document.keys() == original.keys()
        if what is None:
            assert changed == set()
            assert fault is (None if true is None else False)
        elif what == TAKEN:
            assert changed == {"ground_truth"}
            assert document["ground_truth"] is None
            assert fault is None
        elif what == LABEL:
            assert changed == {"ground_truth"}
            assert fault is True
            assert document["ground_truth"].pop("label") in "abc"
            assert true.pop("label") in "abc"
            assert document["ground_truth"] == true
        else:
            assert changed == {"filepath"}
            assert fault is True
            assert path == original["filepath"]
            assert Path(document["filepath"]).read_bytes() != Path(path).read_bytes()
            with Image.open(document["filepath"]) as new, Image.open(path) as old:
                assert (new.size, new.mode) == (old.size, old.mode)
        done.append(what)
    assert originals == {}
    assert any(what not in (None, TAKEN) for what in done)


def bson_of(document: dict[str, Any], name: str) -> bytes:
    return bson.encode({name: document[name]})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_place", [False, True])
def test_reverting_restores_every_byte(
    pictures: Any, kind: str, in_place: bool
) -> None:
    before, fields = exact(pictures), schema(pictures)
    shown = files(images_of(pictures))
    planted = inject_faults(pictures, kind=kind, rate=0.2, in_place=in_place)
    assert (planted is pictures) == in_place
    root = Path(fo.config.default_dataset_dir)
    assert bool(files(root)) == (kind in PAINTED)
    count = len(planted.exists("injected_kind"))
    assert exact(planted) != before
    assert revert_faults(planted) == count > 0
    assert exact(planted) == before
    assert schema(planted) == fields
    assert files(images_of(pictures)) == shown
    assert not root.exists() or list(root.iterdir()) == []
    with pytest.raises(RunError, match="holds no planted faults"):
        revert_faults(planted)


def test_samples_in_memory_show_what_was_planted_and_taken_back(pictures: Any) -> None:
    held = list(pictures)
    inject_faults(pictures, rate=0.2, in_place=True)
    wrong = [s for s in held if s.injected_fault]
    assert len(wrong) == 18
    assert all(s.ground_truth.label != s.injected_true_label.label for s in wrong)
    true = [s.injected_true_label.label for s in wrong]
    revert_faults(pictures)
    assert [s.ground_truth.label for s in wrong] == true


def test_a_seed_plants_the_same_faults_again(pictures: Any) -> None:
    def planted(name: str, **kwargs: Any) -> list[Any]:
        made = inject_faults(pictures, kind="mixture", rate=0.2, name=name, **kwargs)
        shown = [
            Path(p).read_bytes()
            for p in made.exists("injected_original_filepath").values("filepath")
        ]
        return [made.values(["injected_kind", "ground_truth.label"]), shown]

    one, again, other = planted("one"), planted("again"), planted("other", seed=7)
    assert one == again
    assert one[0] != other[0]


def test_a_view_is_copied_as_it_is(pictures: Any) -> None:
    view = pictures.limit(40).select_fields("ground_truth")
    copy = inject_faults(view, rate=0.2)
    assert copy.values("id") == view.values("id")
    assert not copy.has_sample_field("vectors")


def test_in_a_view_only_its_own_samples_become_faults(pictures: Any) -> None:
    before, view = exact(pictures), pictures.limit(40)
    inject_faults(view, rate=0.2, in_place=True)
    assert exact(pictures)[40:] == before[40:]
    assert pictures.count_values("injected_fault")[None] == 51
    revert_faults(view)
    assert exact(pictures) == before


def test_a_copy_keeps_runs_and_can_be_scored_anew(pictures: Any) -> None:
    compute_suspiciousness(pictures, embeddings="vectors", progress=False)
    copy = inject_faults(pictures, rate=0.2)
    assert copy.list_brain_runs() == ["dfaulo"]
    compute_suspiciousness(copy, embeddings="vectors", progress=False)
    assert copy.count("dfaulo_suspiciousness") == 88


def test_names_of_copies_do_not_clash(pictures: Any) -> None:
    first, second = inject_faults(pictures), inject_faults(pictures)
    assert first.name == f"{pictures.name}-injected"
    assert second.name.startswith(first.name)
    assert not first.persistent
    assert inject_faults(pictures, name="mine", persistent=True).persistent


def test_labels_edited_since_are_restored_too_but_no_others(pictures: Any) -> None:
    before = exact(pictures)
    inject_faults(pictures, rate=0.2, in_place=True)
    wrong, right = (
        pictures.match(fo.ViewField("injected_fault") == fault).first()
        for fault in (True, False)
    )
    for sample in (wrong, right):
        sample.ground_truth = fo.Classification(label="edited")
        sample.save()
    revert_faults(pictures)
    changed = [a != b for a, b in zip(exact(pictures), before)]
    assert changed.count(True) == 1
    assert pictures[right.id].ground_truth.label == "edited"


def test_a_copy_of_the_copy_does_not_take_its_images_away(pictures: Any) -> None:
    first = inject_faults(pictures, kind="corrupt", rate=0.2)
    second = first.clone()
    written = files(fo.config.default_dataset_dir)
    assert len(written) == 18
    revert_faults(second)
    assert exact(second) == exact(pictures)
    assert files(fo.config.default_dataset_dir) == written


def test_files_of_others_in_the_folder_are_left_alone(
    pictures: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "images"
    copy = inject_faults(pictures, kind="corrupt", rate=0.2, folder=folder)
    (folder / "notes.txt").write_text("mine")
    revert_faults(copy)
    assert files(folder) == {"notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("pairs", "moved"),
    [
        (None, ("a", "b")),
        ([("c", "a")], ("c", "a")),
        ("vectors", ("b", "c")),
        ("dfaulo", ("c", "b")),
    ],
)
def test_confusable_classes_come_from_names_embeddings_or_a_run(
    pictures: Any, make_results: Callable[..., Any], pairs: Any, moved: tuple[str, str]
) -> None:
    from fiftyone_dfaulo.adapter.runs.writer import write_run

    # the b's lie near the c's; a run takes all c's for b's
    centres = {"a": [9.0, 0], "b": [0.0, 9], "c": [0.0, 8]}
    names = pictures.values("ground_truth.label")
    vectors = [centres[name or "a"] for name in names]
    pictures.set_values("vectors", vectors)
    results = make_results(pictures)
    results.suspiciousness = np.linspace(0, 1, 88)
    results.suggestions = np.where(results.labels == 2, 1, results.labels)
    write_run(results)

    copy = inject_faults(pictures, kind="pair", rate=0.1, pairs=pairs)
    wrong = copy.match(fo.ViewField("injected_fault"))
    told = wrong.values(["injected_true_label.label", "ground_truth.label"])
    assert set(zip(*told)) == {moved}
    assert len(wrong) == (8 if moved[0] == "c" else 9)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "no_such"}, "kind='no_such' is unknown; choose one of random_label"),
    ({"kind": 5}, "kind=5: expected a string"),
    ({"rate": 0}, "rate=0 cannot be used"),
    ({"rate": -0.1}, "rate=-0.1 cannot be used"),
    ({"rate": 1.5}, "rate=1.5 cannot be used .* at most 0.5"),
    ({"rate": float("nan")}, "rate=nan cannot be used"),
    ({"rate": "5%"}, "rate='5%' cannot be used"),
    ({"rate": True}, "rate=True cannot be used"),
    ({"rate": 0.4, "kind": "pair"}, "rate=0.4 cannot be used for kind='pair'"),
    ({"rate": 0.001}, "rate=0.001 plants no fault"),
    ({"seed": -1}, "seed=-1 is not a whole number from 0"),
    ({"seed": "x"}, "seed='x' is not a whole number"),
    ({"label_field": "nothing"}, "there is no label_field='nothing'"),
    ({"label_field": "vectors"}, "expected a Classification field"),
    ({"prefix": "1st"}, "prefix='1st' cannot begin the name"),
    ({"prefix": "my"}, "prefix='my' would overwrite the fields my_fault"),
    ({"name": "taken"}, "name='taken' cannot be given to the copy"),
    ({"name": "TAKEN"}, "name='TAKEN' cannot be given to the copy"),
    ({"name": ""}, "name='' cannot be given to the copy"),
    ({"name": 3}, "name=3: expected a string or None"),
    ({"name": "x", "in_place": True}, "in_place=True makes none"),
    ({"kind": "pair", "pairs": 5}, "pairs=5; expected pairs of class names"),
    ({"kind": "pair", "pairs": []}, "expected pairs of class names"),
    ({"kind": "pair", "pairs": [("a", "a")]}, "expected pairs of class names"),
    ({"kind": "pair", "pairs": [("a", "z")]}, "names 'z', which no label is"),
    ({"kind": "pair", "pairs": [("a", "b"), ("b", "a")]}, "here at most 1"),
    ({"kind": "specific_label", "pairs": [("a", "b"), ("a", "c")]}, "two classes"),
    ({"kind": "pair", "pairs": "nothing"}, "neither a field"),
    ({"kind": "corrupt", "folder": "FULL"}, "is not empty"),
    ({"kind": "corrupt", "folder": "FILE"}, "no folder for new images can be made"),
    ({"kind": "corrupt", "folder": 7}, "no folder for new images can be made"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[str(a) for a, _ in BAD])
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    pictures: Any, tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    places = {"FULL": tmp_path / "images0", "FILE": tmp_path / "file"}
    places["FILE"].write_text("a file")
    pictures.add_sample_field("my_fault", fo.StringField)
    taken = fo.Dataset("taken")
    if arguments.get("folder") in places:
        arguments = {**arguments, "folder": str(places[arguments["folder"]])}
    names, before, shown = fo.list_datasets(), exact(pictures), files(tmp_path)
    fields = schema(pictures)
    with pytest.raises(InputError, match=said):
        inject_faults(pictures, **arguments)
    assert fo.list_datasets() == names
    assert len(taken) == 0
    assert exact(pictures) == before
    assert schema(pictures) == fields
    assert files(tmp_path) == shown


def test_samples_that_hold_faults_already_are_refused(pictures: Any) -> None:
    copy = inject_faults(pictures)
    with pytest.raises(RunError, match="holds planted faults already"):
        inject_faults(copy, prefix="more")


def test_labels_of_one_class_are_refused(make_dataset: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="expected at least two classes"):
        inject_faults(make_dataset(["a"] * 10))


def test_a_read_only_field_is_not_changed_in_place(pictures: Any) -> None:
    field = pictures.get_field("ground_truth.label")
    field.read_only = True
    field.save()
    with pytest.raises(InputError, match="'ground_truth.label' is read-only"):
        inject_faults(pictures, in_place=True)
    assert inject_faults(pictures).count_values("injected_fault")[True] == 5


def test_an_image_that_cannot_be_read_is_named_and_nothing_is_written(
    pictures: Any,
) -> None:
    for path in pictures.values("filepath"):
        Path(path).write_bytes(b"torn")
    names, before = fo.list_datasets(), exact(pictures)
    with pytest.raises(InputError, match=r"\d+.png cannot be read .not an image"):
        inject_faults(pictures, kind="random_data")
    assert fo.list_datasets() == names
    assert exact(pictures) == before
    assert inject_faults(pictures, kind="random_label").name not in names


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("calls", range(1, 8, 2))
def test_a_stopped_injection_leaves_nothing_behind(
    pictures: Any, in_place: bool, calls: int
) -> None:
    names, before, fields = fo.list_datasets(), exact(pictures), schema(pictures)
    heard: list[str] = []

    def stop(stage: str, fraction: float) -> None:
        heard.append(stage)
        if len(heard) == calls:
            raise Cancelled("enough")

    request = Injection(kind="mixture", rate=0.2, in_place=in_place)
    with pytest.raises(Cancelled):
        inject.run(pictures, request, stop)
    assert fo.list_datasets() == names
    assert exact(pictures) == before
    assert schema(pictures) == fields
    assert files(fo.config.default_dataset_dir) == {}
    pictures.reload()


def test_fields_that_another_tool_saves_away_are_added_again(
    pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, fields = exact(pictures), schema(pictures)
    datasets, query = fo.core.odm.get_db_conn().datasets, {"_id": pictures._doc.id}
    old = datasets.find_one(query)["sample_fields"]
    add, times = declaration._add, []

    def add_late(*given: Any) -> None:
        add(*given)
        times.append(len(times))
        if times == [0]:
            datasets.update_one(query, {"$set": {"sample_fields": old}})

    monkeypatch.setattr(declaration, "_add", add_late)
    monkeypatch.setattr(declaration, "_WATCHED", 10)  # somebody else is there
    inject_faults(pictures, rate=0.2, in_place=True)
    pictures.clear_cache()
    pictures.reload()
    assert times == [0, 1]
    assert pictures.count_values("injected_fault")[True] > 0
    assert revert_faults(pictures) > 0
    assert exact(pictures) == before
    assert schema(pictures) == fields


def test_what_a_dead_process_has_left_is_reverted(
    pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, fields = exact(pictures), schema(pictures)

    def die(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inject, "restore", lambda dataset: None)
        patch.setattr(planting, "_change", die)  # truth is copied, nothing changed yet
        with pytest.raises(KeyboardInterrupt):
            inject_faults(pictures, kind="corrupt", rate=0.2, in_place=True)
    assert pictures.count_values("injected_fault") == {False: 88, None: 2}
    assert len(files(fo.config.default_dataset_dir)) == 18
    assert revert_faults(pictures) == 0
    assert exact(pictures) == before
    assert schema(pictures) == fields
    assert files(fo.config.default_dataset_dir) == {}


def test_faults_that_another_process_has_planted_meanwhile_stay(
    pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = inject._draw

    def draw_late(*given: Any) -> Any:
        drawn = draw(*given)
        with monkeypatch.context() as patch:
            patch.setattr(inject, "_draw", draw)
            inject_faults(pictures, rate=0.2, seed=1, in_place=True)
        return drawn

    before, fields = exact(pictures), schema(pictures)
    monkeypatch.setattr(inject, "_draw", draw_late)
    with pytest.raises(RunError, match="holds planted faults already"):
        inject_faults(pictures, rate=0.2, in_place=True)
    assert pictures.count_values("injected_fault")[True] > 0
    assert revert_faults(pictures) > 0
    assert exact(pictures) == before
    assert schema(pictures) == fields


def test_without_the_true_labels_nothing_is_reverted(pictures: Any) -> None:
    copy = inject_faults(pictures, rate=0.2)
    copy.delete_sample_field("injected_true_label")
    before = exact(copy)
    with pytest.raises(RunError, match="injected_true_label were deleted"):
        revert_faults(copy)
    assert exact(copy) == before


def test_something_else_than_samples_is_refused() -> None:
    for function in (inject_faults, revert_faults):
        with pytest.raises(InputError, match="expected a FiftyOne dataset or view"):
            function("my dataset")


def test_true_labels_are_not_offered_for_scoring(pictures: Any) -> None:
    copy = inject_faults(pictures, kind="imbalanced", rate=0.2)
    assert list(list_label_fields(copy)) == ["ground_truth"]
    assert list(list_label_fields(copy.limit(9))) == ["ground_truth"]
