"""The operators of the review: what they do to a dataset, and how they refuse."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dfaulo import (
    DFauLoError,
    InputError,
    compute_suspiciousness,
    record_verdicts,
)
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.app.current_run import choose_run, current_run
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.forms.corrections import LEAVE
from fiftyone_dfaulo.plugin.forms.trust import confirmation
from tests.plugin.plugin_tools import context, snapshot

NAMES = {cls().config.name: cls for cls in OPERATORS}
PREFIX = "@dfaulo/dfaulo/"
WRONG = 7  # the sample of ``scored`` with the wrong label


@pytest.fixture
def run(scored: Any) -> Any:
    """The dataset after a run."""
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    return scored


def execute(name: str, dataset: Any, request: Any = None, **params: Any) -> list[str]:
    """Executes as the App does; gives what the App is told to say."""
    asked = context(dataset, request=request, **params)
    list(NAMES[name]().execute(asked) or ())
    sent = asked.executor._requests
    return [one.params["message"] for one in sent if one.operator_uri == "notify"]


def form(name: str, dataset: Any, request: Any = None, **params: Any) -> str:
    """The open form as JSON."""
    asked = context(dataset, prompt="1", request=request, **params)
    return json.dumps(NAMES[name]().resolve_input(asked).to_json())


def selecting(*ids: str, alt: tuple[str, ...] = ()) -> dict[str, Any]:
    """A request with a selection in the grid."""
    plain = [{"id": i, "type": "default"} for i in ids]
    return {"selected_samples": [*plain, *({"id": i, "type": "alt"} for i in alt)]}


def verdicts(dataset: Any) -> list[Any]:
    dataset.reload()
    return dataset.values("dfaulo_verdict")


def test_clicked_are_marked_faulty_and_alt_clicked_correct(run: Any) -> None:
    ids = run.values("id")
    said = execute(
        "record_verdicts", run, selecting(ids[7], alt=(ids[1], ids[2])), by="Ada"
    )
    assert said == ["Recorded in run 'dfaulo': 3 samples"]
    found = verdicts(run)
    assert (found[7], found[1], found[2]) == ("faulty", "correct", "correct")
    assert sum(v is not None for v in found) == 3
    assert run[ids[7]].dfaulo_history[0]["by"] == "Ada"


@pytest.mark.parametrize("name", ["mark_faulty", "mark_correct", "record_verdicts"])
def test_what_is_selected_and_no_id_is_refused_and_named(name: str, run: Any) -> None:
    before = snapshot(run)
    with pytest.raises(InputError, match="no id"):
        execute(name, run, selecting(run.first().id, "no id"))
    assert snapshot(run) == before


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("faulty", "faulty"), ("correct", "correct"), ("cleared", None)],
)
def test_a_verdict_of_the_form_goes_to_the_whole_selection(
    run: Any, verdict: str, expected: str | None
) -> None:
    ids = run.values("id")
    record_verdicts(run, correct=ids[3:4])
    execute("record_verdicts", run, selecting(*ids[3:5]), verdict=verdict)
    assert verdicts(run)[3:5] == [expected] * 2


@pytest.mark.parametrize(
    ("name", "verdict"), [("mark_faulty", "faulty"), ("mark_correct", "correct")]
)
def test_a_toolbar_button_marks_the_selection(
    run: Any, name: str, verdict: str
) -> None:
    ids = run.values("id")
    asked = context(run, request=selecting(ids[4], alt=(ids[5],)))
    assert not NAMES[name]().config.execute_as_generator  # which opens a dialog
    assert NAMES[name]().execute(asked) is None
    sent = asked.executor._requests
    assert verdicts(run)[4:6] == [verdict] * 2
    assert ("set_selected_samples", {"samples": []}) in [
        (body.operator_uri, body.params) for body in sent
    ]


def test_toolbar_buttons_are_there_only_after_a_run(scored: Any) -> None:
    for name in ("mark_faulty", "mark_correct"):
        assert NAMES[name]().resolve_placement(context(scored)) is None
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    for name in ("mark_faulty", "mark_correct"):
        assert NAMES[name]().resolve_placement(context(scored)) is not None


def test_learning_puts_the_faulty_on_top(run: Any) -> None:
    ids = run.values("id")
    record_verdicts(run, faulty=ids[3:4], correct=ids[4:5])
    execute("update_suspiciousness", run)
    run.reload()
    assert run[ids[3]].dfaulo_suspiciousness == 1
    assert run[ids[4]].dfaulo_suspiciousness == 0


def test_the_most_suspicious_are_tagged_and_saved_as_a_view(run: Any) -> None:
    said = execute(
        "tag_suspicious", run, which="top", top=1, fraction=0.5, save_view="worst"
    )
    assert said == ["Tagged 'relabel': 1 sample"]
    assert run.load_saved_view("worst").values("id") == [run.values("id")[WRONG]]


def test_faulty_labels_are_corrected_and_brought_back(run: Any) -> None:
    ids, before = run.values("id"), run.values("ground_truth.label")
    record_verdicts(run, faulty=[ids[WRONG]])
    assert "All that are marked faulty (1)" in form("apply_suggestions", run)
    said = execute("apply_suggestions", run, which="faulty")
    assert said == ["Corrected: 1 sample"]
    run.reload()
    assert run[ids[WRONG]].ground_truth.label == "b"

    again = execute("apply_suggestions", run)
    assert again[0].startswith("Corrected: 0 samples; left as they are: 1 sample (it ")

    assert execute("revert_suggestions", run, which="all") == [
        "Brought back: the label of 1 sample"
    ]
    run.reload()
    assert run.values("ground_truth.label") == before
    assert execute("revert_suggestions", run) == [
        "Brought back: the label of 0 samples"
    ]


def test_the_selection_gets_the_class_of_the_form(run: Any) -> None:
    ids = run.values("id")
    request = selecting(ids[0], ids[2])
    shown = form("apply_suggestions", run, request, set_to="class")
    assert "The selection (2)" in shown
    assert '"Class"' in shown
    execute("apply_suggestions", run, request, set_to="class", **{"class": "b"})
    run.reload()
    assert run.values("ground_truth.label")[:4] == ["b", "b", "b", "b"]


def group_fields(shown: str) -> dict[str, Any]:
    """Text of each group of the form to its field."""
    properties = json.loads(shown)["type"]["properties"]
    found = {}
    for name, row in properties.items():
        if name.startswith("group_"):
            parts = row["type"]["properties"]
            text = parts["to"]["view"]["label"] if "to" in parts else None
            found[text or parts["text"]["default"]] = {"name": name, **parts}
    return found


def test_groups_are_shown_and_each_gets_the_class_that_is_chosen(run: Any) -> None:
    ids = run.values("id")
    record_verdicts(run, faulty=[ids[WRONG], ids[0]])
    shown = form("apply_suggestions", run)
    fields = group_fields(shown)
    assert list(fields) == ["a → b: 1", "a: 1"]
    assert "1 label changes, 1 stays" in shown
    assert "stays: its label is 'a' already" in shown
    wrong, right = fields.values()
    assert wrong["to"]["default"] == "b"
    choices = [one["value"] for one in wrong["to"]["view"]["choices"]]
    assert choices == [LEAVE, "a", "b"]

    chosen = {wrong["name"]: {"to": LEAVE}, right["name"]: {"to": "b"}}
    assert "1 label changes, 1 stays" in form("apply_suggestions", run, **chosen)
    said = execute("apply_suggestions", run, **chosen)
    assert said == [
        "Corrected: 1 sample; left as they are: 1 sample (it was chosen to stay as it "
        "is)"
    ]
    run.reload()
    assert (run[ids[WRONG]].ground_truth.label, run[ids[0]].ground_truth.label) == (
        "a",
        "b",
    )


def test_a_class_that_does_not_exist_is_asked_about(run: Any) -> None:
    record_verdicts(run, faulty=[run.values("id")[WRONG]])
    (field,) = group_fields(form("apply_suggestions", run)).values()
    chosen = {field["name"]: {"to": "bb"}}
    asked = json.loads(form("apply_suggestions", run, **chosen))["type"]["properties"]
    assert asked["add_classes"]["invalid"]
    assert asked["add_classes"]["view"]["label"] == "Add a new class: 'bb'"
    with pytest.raises(InputError, match="'bb' is no class of 'ground_truth' yet"):
        execute("apply_suggestions", run, **chosen)
    chosen["add_classes"] = True
    asked = json.loads(form("apply_suggestions", run, **chosen))["type"]["properties"]
    assert not asked["add_classes"].get("invalid")
    assert execute("apply_suggestions", run, **chosen) == ["Corrected: 1 sample"]


def test_a_look_at_a_group_shows_its_tiles_and_keeps_the_selection(run: Any) -> None:
    ids = run.values("id")
    shown = form("apply_suggestions", run, selecting(ids[0], ids[WRONG]))
    which = json.loads(shown)["type"]["properties"]["which"]["default"]
    assert which == f"{ids[0]},{ids[WRONG]}"
    field = group_fields(shown)["a: 1"]
    asked = context(run, which=which, **field["look"]["view"]["params"])
    NAMES["look_at_corrections"]().execute(asked)
    sent = {one.operator_uri: one.params for one in asked.executor._requests}
    view = fo.DatasetView._build(run, sent["set_view"]["view"])
    assert view.values("id") == [ids[0]]
    # looking has ended the selection in the grid
    assert "The selection (2)" in form("apply_suggestions", run, which=which)
    assert execute("apply_suggestions", run, which=which)[0].startswith("Corrected: 1")
    assert verdicts(run)[WRONG] == "faulty"


def test_a_form_that_would_change_nothing_cannot_be_executed(run: Any) -> None:
    shown = json.loads(form("apply_suggestions", run))["type"]["properties"]
    assert "mark some first" in shown["summary"]["error_message"]
    record_verdicts(run, faulty=run.values("id")[:1])
    shown = json.loads(form("apply_suggestions", run))["type"]["properties"]
    assert "Nothing would change" in shown["summary"]["error_message"]


def test_labels_edited_by_hand_are_left_alone_and_named(run: Any) -> None:
    ids = run.values("id")
    record_verdicts(run, faulty=[ids[WRONG]])
    execute("apply_suggestions", run)
    sample = run[ids[WRONG]]
    sample.ground_truth.label = "mine"
    sample.save()
    (said,) = execute("revert_suggestions", run)
    assert f"edited by hand since, left alone: 1 sample ({ids[WRONG]})" in said
    assert run[ids[WRONG]].ground_truth.label == "mine"


def test_the_review_is_exported(run: Any, tmp_path: Path) -> None:
    record_verdicts(run, faulty=run.values("id")[WRONG : WRONG + 1])
    path = tmp_path / "review.json"
    assert execute("export_review", run, path=str(path)) == [
        f"Written to {path}: 1 sample"
    ]
    assert json.loads(path.read_text())[0]["verdict"] == "faulty"


def test_the_review_is_downloaded_without_a_file_on_the_server(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "datasets"
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(folder))
    assert "Nothing has a verdict yet" in form("export_review", run)
    record_verdicts(run, faulty=run.values("id")[WRONG : WRONG + 1], by="Ada")
    assert "spreadsheets" in form("export_review", run)
    asked = context(run, format="json")
    NAMES["export_review"]().execute(asked)
    sent = {one.operator_uri: one.params for one in asked.executor._requests}
    assert sent["browser_download"]["filename"] == "dfaulo_review.json"
    with urllib.request.urlopen(sent["browser_download"]["url"]) as file:
        assert json.loads(file.read())[0]["by"] == "Ada"
    assert sent["notify"]["message"] == "Downloaded dfaulo_review.json: 1 sample"
    assert not folder.exists()


def test_a_file_without_a_folder_goes_to_the_one_that_is_named(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, server = tmp_path / "datasets", tmp_path / "server"
    server.mkdir()
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(folder))
    monkeypatch.chdir(server)
    named = json.dumps(plain(str(folder)))[1:-1]
    shown = form("export_review", run, to="server")
    assert f"it is written to {named} there" in shown
    said = execute("export_review", run, path="review.json")
    assert said == [f"Written to {folder / 'review.json'}: 0 samples"]
    assert os.listdir(folder) == ["review.json"]
    shown = form("export_review", run, to="server", path="review.json")
    assert "exists; pass another path" in shown
    with pytest.raises(DFauLoError, match="exists; pass another path, or overwrite"):
        execute("export_review", run, path="review.json")
    with pytest.raises(DFauLoError, match="exists"):  # as a foreign page would ask
        execute("export_review", run, path="review.json", overwrite=True)
    sure = {confirmation(run, "overwrite"): True}
    assert execute("export_review", run, path="review.json", **sure)
    export = foo.get_operator(PREFIX + "export_review")
    export(run, path="review.json", overwrite=True)
    with pytest.raises(ExecutionError, match="exists"):
        export(run, path="review.json")
    assert os.listdir(server) == []


def test_files_are_written_only_where_the_server_lets_them(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
    (inside / "link").symlink_to(outside)
    monkeypatch.setenv("DFAULO_EXPORTS", str(inside))
    for path in (
        outside / "new.csv",
        inside / "link" / "new.csv",
        inside / ".." / "out" / "new.csv",
    ):
        with pytest.raises(InputError, match="outside the folders .* DFAULO_EXPORTS"):
            execute("export_review", run, path=str(path))
    assert os.listdir(outside) == []
    execute("export_review", run, path=str(inside / "new.csv"))
    assert (inside / "new.csv").exists()


def test_every_operator_can_be_called_from_python(run: Any, tmp_path: Path) -> None:
    ids = run.values("id")

    def call(name: str, **params: Any) -> None:
        foo.get_operator(PREFIX + name)(run, "dfaulo", **params)

    call("record_verdicts", faulty=[ids[WRONG]], correct=ids[:2], by="Ada")
    assert [verdicts(run)[n] for n in (WRONG, 0, 1)] == ["faulty", "correct", "correct"]
    call("update_suspiciousness")
    call("tag_suspicious", verdict="faulty", tag="again")
    assert run.match_tags("again").values("id") == [ids[WRONG]]
    call("apply_suggestions", ids=ids[:1], label="c", add_classes=True, by="Ada")
    run.reload()
    assert run.first().ground_truth.label == "c"
    call("revert_suggestions", ids=ids[:1])
    run.reload()
    assert run.first().ground_truth.label == "a"
    call("export_review", path=str(tmp_path / "review.csv"))
    assert (tmp_path / "review.csv").exists()


def test_a_parameter_that_it_does_not_take_is_refused(run: Any) -> None:
    with pytest.raises(InputError, match="unknown parameters lable; expected some of"):
        foo.get_operator(PREFIX + "apply_suggestions")(run, lable="b")


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("record_verdicts", {}, "No sample is selected"),
        ("mark_faulty", {}, "No sample is selected"),
        ("tag_suspicious", {"which": "top", "top": 0}, "not a whole number of 1 or"),
        (
            "tag_suspicious",
            {"which": "fraction", "fraction": 2.0},
            "not a number above",
        ),
        ("apply_suggestions", {"brain_key": "other"}, "has no brain run 'other'"),
        ("export_review", {"path": "review.txt"}, "does not end in .csv or .json"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    run: Any, name: str, params: dict[str, Any], message: str
) -> None:
    before = snapshot(run)
    with pytest.raises(DFauLoError, match=message):
        execute(name, run, **params)
    assert snapshot(run) == before
    params.pop("which", None)  # which is the form's
    with pytest.raises(ExecutionError):  # of the form, or of FiftyOne's own limits
        foo.get_operator(PREFIX + name)(run, **params)
    assert snapshot(run) == before


NEED_NO_RUN = {
    "compute_suspiciousness",
    "inject_faults",
    "revert_faults",
    "estimate_quality",
    "repair",
}


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEED_NO_RUN))
def test_without_a_run_every_form_says_so(scored: Any, name: str) -> None:
    if not NAMES[name]().has_form:
        assert NAMES[name]().resolve_input(context(scored, prompt="1")) is None
        return
    shown = json.loads(form(name, scored))
    assert "has no run yet" in json.dumps(shown)
    (problem,) = (
        prop for prop in shown["type"]["properties"].values() if prop.get("invalid")
    )
    assert "Find suspicious labels" in problem["error_message"]


def test_a_read_only_label_field_is_never_written(run: Any) -> None:
    field = run.get_field("ground_truth")
    field.read_only = True
    field.save()
    record_verdicts(run, faulty=run.values("id")[WRONG : WRONG + 1])
    before = snapshot(run)
    for name in ("apply_suggestions", "revert_suggestions"):
        assert "'ground_truth' is read-only" in form(name, run)
    with pytest.raises(DFauLoError, match="is read-only"):
        list(NAMES["apply_suggestions"]().execute(context(run)))
    assert snapshot(run) == before


def test_the_run_is_the_one_asked_for_else_the_chosen_else_the_newest(run: Any) -> None:
    compute_suspiciousness(
        run, embeddings="vectors", brain_key="second", progress=False
    )
    assert current_run(context(run)) == "second"
    choose_run(context(run), "dfaulo")
    assert current_run(context(run)) == "dfaulo"
    assert current_run(context(run, brain_key="second")) == "second"
    compute_suspiciousness(run, embeddings="vectors", brain_key="third", progress=False)
    assert current_run(context(run)) == "third"
    choose_run(context(run), "dfaulo")
    run.delete_brain_run("third")
    assert current_run(context(run)) == "dfaulo"
    run.delete_brain_run("dfaulo")
    assert current_run(context(run)) == "second"


def test_a_run_that_is_being_written_is_not_spoken_of(run: Any) -> None:
    method = run.get_brain_info("dfaulo").config.build()
    method.config.complete = False
    method.register_run(run, "dfaulo_unfinished", overwrite=False)
    assert list_runs(run) == ["dfaulo"]
    assert current_run(context(run)) == "dfaulo"
