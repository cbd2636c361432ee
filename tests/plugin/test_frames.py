"""Form, operators and panel on the frames of videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dfaulo import InputError, compute_suspiciousness, suspicious_view
from fiftyone_dfaulo.adapter.storage.frames import frames_view
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.app.selection import batch_of
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from tests.plugin.panel.test_panel import Opened
from tests.plugin.plugin_tools import URI, context, snapshot
from tests.videos import LENGTH, VIDEOS, fault_ids

COUNT = VIDEOS * LENGTH
OPERATOR = {cls().config.name: cls for cls in OPERATORS}
WITH_EMB = {"label_field": "label", "source": "embeddings", "embeddings": "emb"}


@pytest.fixture
def run(frames: Any) -> Any:
    """The frames after a run."""
    compute_suspiciousness(frames, "label", embeddings="emb", progress=False)
    return frames


def form(samples: Any, **params: Any) -> str:
    return json.dumps(
        ComputeSuspiciousness().resolve_input(context(samples, **params)).to_json()
    )


def execute(name: str, samples: Any, *selected: str, **params: Any) -> list[str]:
    """Executes as the App does; gives what the App is told to say."""
    ctx = context(samples, request={"selected": list(selected)}, **params)
    list(OPERATOR[name]().execute(ctx) or ())
    sent = ctx.executor._requests
    return [one.params["message"] for one in sent if one.operator_uri == "notify"]


def verdicts(samples: Any, path: str = "dfaulo_verdict") -> dict[str | None, int]:
    samples._root_dataset.reload()
    return dict(samples.count_values(path))


class TestForm:
    def test_of_videos_it_says_to_add_the_stage(self, videos: Any) -> None:
        said = form(videos)

        assert "These samples cannot be scored" in said
        assert "in the App, add the stage ToFrames" in said
        before = snapshot(videos)
        with pytest.raises(ExecutionError, match="ToFrames"):
            foo.get_operator(URI)(videos, "label")
        assert snapshot(videos) == before

    def test_of_frames_it_offers_their_labels_and_embeddings(self, frames: Any) -> None:
        said = form(frames, source="embeddings")

        assert f"label ({COUNT} labels)" in said
        assert "emb" in said
        assert "cannot be scored" not in said

    def test_frames_without_images_cannot_be_scored(self, videos: Any) -> None:
        assert "no image files" in form(videos.to_frames(sample_frames="dynamic"))

    def test_faults_are_not_planted_in_the_frames_themselves(self, frames: Any) -> None:
        ctx = context(frames, label_field="label", in_place=True)
        said = json.dumps(OPERATOR["inject_faults"]().resolve_input(ctx).to_json())

        assert "frames of videos themselves" in said


def test_a_run_shows_the_frames_most_suspicious_first(videos: Any, frames: Any) -> None:
    one = frames.match(fo.ViewField("frame_number") == 5).first()
    one.label = None
    one.save()
    sent = ComputeSuspiciousness().execute(context(frames, **WITH_EMB))
    asked = {m.body.operator_uri: m.body.params for m in sent}

    view = fo.DatasetView._build(videos, asked["set_view"]["view"])
    assert set(view.values("id")[:3]) == fault_ids(videos)
    summary = json.dumps(asked["show_output"])
    assert f"{COUNT - 1} frames" in summary
    assert "1 without a label: 000005.jpg" in summary
    videos.reload()
    assert videos.count("frames.dfaulo_suspiciousness") == COUNT - 1


def test_a_run_on_patches_of_frames_shows_them(make_videos: Callable[..., Any]) -> None:
    videos = make_videos(objects=True)
    patches = videos.to_frames(sample_frames=True).to_patches("boxes")
    given = {**WITH_EMB, "label_field": "boxes"}

    sent = ComputeSuspiciousness().execute(context(patches, **given))
    asked = {m.body.operator_uri: m.body.params for m in sent}

    view = fo.DatasetView._build(videos, asked["set_view"]["view"])
    assert set(view.values("frame_id")[:3]) == fault_ids(videos)
    scores = view.values("boxes.dfaulo_suspiciousness")
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 2 * COUNT


def test_selected_videos_are_no_frames(videos: Any, run: Any) -> None:
    with pytest.raises(InputError, match="with the stage ToFrames"):
        execute("mark_faulty", videos, videos.first().id)


def test_python_can_execute_the_operators_on_frames(videos: Any, frames: Any) -> None:
    foo.get_operator(URI)(frames, "label", embeddings="emb")
    mark = foo.get_operator("@dfaulo/dfaulo/record_verdicts")
    mark(frames, faulty=[*fault_ids(videos)])

    assert verdicts(videos, "frames.dfaulo_verdict") == {"faulty": 3, None: COUNT - 3}
    assert verdicts(frames) == {"faulty": 3, None: COUNT - 3}


def test_buttons_and_forms_work_on_the_frames_in_the_grid(
    videos: Any, run: Any, tmp_path: Path
) -> None:
    worst = suspicious_view(run).values("id")
    truth = dict(zip(*run.values(["id", "truth"])))

    said = execute("mark_faulty", run, *worst[:3])
    assert said == ["Marked faulty in run 'dfaulo': 3 frames"]
    execute("mark_correct", run.match_tags("no such tag"), worst[3])
    for samples, path in ((run, ""), (videos, "frames.")):
        found = verdicts(samples, f"{path}dfaulo_verdict")
        assert found == {"faulty": 3, "correct": 1, None: COUNT - 4}

    ctx = context(run)
    asked = OPERATOR["apply_suggestions"]().resolve_input(ctx).to_json()
    assert "All that are marked faulty (3)" in json.dumps(asked)
    execute("apply_suggestions", run)
    for samples in (run, videos.to_frames()):
        labels = dict(zip(*samples.values(["id", "label.label"])))
        assert labels == truth
    execute("revert_suggestions", run)
    assert run.count_label_tags("label") == {}

    execute("update_suspiciousness", run)
    assert suspicious_view(run, limit=3).count_values("dfaulo_verdict") == {"faulty": 3}
    execute("tag_suspicious", run, tag="relabel")
    assert run.count_label_tags("label") == {"relabel": 3}
    execute("export_review", run, path=str(tmp_path / "review.json"))
    assert len(json.loads((tmp_path / "review.json").read_text())) == 4


def test_forms_work_where_the_grid_shows_the_videos(videos: Any, run: Any) -> None:
    execute("record_verdicts", videos, faulty=[*fault_ids(videos)])

    ctx = context(videos)
    asked = OPERATOR["apply_suggestions"]().resolve_input(ctx).to_json()
    assert "All that are marked faulty (3)" in json.dumps(asked)
    execute("apply_suggestions", videos)
    assert videos.count_label_tags("frames.label") == {"corrected": 3}


def test_a_ranking_is_evaluated_by_a_field_of_the_frames(run: Any) -> None:
    asked = OPERATOR["evaluate_ranking"]().resolve_input(context(run)).to_json()
    assert "truth" in json.dumps(asked)

    ctx = context(run, fault_field="truth")
    sent = list(OPERATOR["evaluate_ranking"]().execute(ctx))
    assert "3 are faults" in json.dumps(sent[-1].to_json())


class TestPanel:
    def open(self, samples: Any) -> Opened:
        panel = Opened(samples._root_dataset)
        panel.view = samples.view()
        panel.state["batch_size"] = 5
        return panel

    def test_batches_of_frames_are_marked_taken_back_and_learned_from(
        self, videos: Any, run: Any
    ) -> None:
        panel, worst = self.open(run), suspicious_view(run).values("id")

        panel.did("next_batch")
        assert batch_of(panel.view) == worst[:5]
        panel.did("rest_is_correct", *worst[:3])
        assert not {*batch_of(panel.view)} & {*worst[:5]}
        assert verdicts(videos, "frames.dfaulo_verdict")["faulty"] == 3
        panel.did("undo_marking")
        assert verdicts(panel.view) == {None: 5}
        panel.did("mark_selected", worst[0], alt=worst[1:5])
        assert not {*batch_of(panel.view)} & {*worst[:5]}
        assert panel.facts["status"]["scored"] == COUNT
        assert panel.facts["label_field_gone"] is False

    def test_the_grid_is_narrowed_to_frames(self, run: Any) -> None:
        panel = self.open(run)

        panel.did("on_pair", row=0)

        pair = panel.facts["pairs"][0]
        assert panel.view.distinct("label.label") == [pair["given"]]
        assert len(panel.view) == pair["count"]

    @pytest.mark.parametrize("early", [False, True])
    def test_frames_are_shown_where_the_grid_shows_none_of_the_run(
        self, videos: Any, early: bool
    ) -> None:
        samples = videos.to_frames(sample_frames=True) if early else videos
        frames = videos.to_frames(sample_frames=True)
        compute_suspiciousness(frames, "label", embeddings="emb", progress=False)
        panel = self.open(samples)

        panel.did("next_batch")

        assert batch_of(panel.view) == suspicious_view(frames, limit=5).values("id")

    def test_frames_whose_label_was_edited_are_shown(self, run: Any) -> None:
        one = run.match(fo.ViewField("label.label") == "a").first()
        one.label.label = "c"
        one.save()
        panel = self.open(run)

        panel.did("show_stale")

        assert panel.view.values("id") == [one.id]

    def test_run_again_asks_for_all_frames(self, videos: Any, run: Any) -> None:
        panel = self.open(run)
        panel.did("next_batch")

        asked = panel.did("run_again")["prompt_user_for_operation"]["params"]
        assert asked["view_target"] == "BASE_VIEW"
        again = context(panel.view, **asked)
        assert len(again.target_view()) == COUNT

        panel.view = videos.view()
        assert "ToFrames" in panel.did("run_again")["notify"]["message"]

    def test_objects_of_frames_are_marked_as_patches(
        self, make_videos: Callable[..., Any]
    ) -> None:
        videos = make_videos(objects=True)
        frames = videos.to_frames(sample_frames=True)
        compute_suspiciousness(frames, "boxes", embeddings="emb", progress=False)
        panel, path = self.open(frames), "frames.boxes.detections.dfaulo_verdict"

        panel.did("next_batch")
        worst, made = batch_of(panel.view), frames_view(panel.view)._dataset.name
        assert set(panel.view.values("frame_id")[:3]) == fault_ids(videos)
        panel.did("rest_is_correct", *worst[:3])

        assert verdicts(videos, path) == {
            "faulty": 3,
            "correct": 2,
            None: 2 * COUNT - 5,
        }
        following = batch_of(panel.view)
        assert not {*following} & {*worst}
        panel.did("mark_selected", following[0], alt=following[1:2])
        assert batch_of(panel.view) == following
        assert frames_view(panel.view)._dataset.name == made
        shown = panel.view.values("boxes.dfaulo_verdict")
        assert shown == ["faulty", "correct", None, None, None]
