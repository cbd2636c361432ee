"""Runs on the frames of videos, through FiftyOne's frames views."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.adapter.reading.label_fields import list_label_fields
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.errors import InputError
from tests.videos import LENGTH, VIDEOS, fault_ids


def compute(samples: Any, key: str = "dfaulo", **more: Any) -> Any:
    return dfaulo.compute_suspiciousness(
        samples, "label", brain_key=key, embeddings="emb", progress=False, **more
    )


def stored(videos: Any, name: str) -> dict[str, Any]:
    """A field of the frames of the videos, by the frames' ids, from the database."""
    videos.reload()
    ids, values = videos.values(["frames.id", f"frames.{name}"])
    return {i: v for some, them in zip(ids, values) for i, v in zip(some, them)}


def shown(frames: Any, name: str) -> dict[str, Any]:
    """The same, as a view of the frames shows it."""
    return dict(zip(*frames.values(["id", name])))


def contents(videos: Any) -> list[Any]:
    """Everything in the database that is the videos' or their frames'."""
    videos.reload()
    times = {"created_at": None, "last_modified_at": None}
    return [
        sorted(videos.get_frame_field_schema(flat=True)),
        videos.list_brain_runs(),
        videos.list_indexes(),
        [{**d, **times} for d in videos._sample_collection.find()],
        [{**d, **times} for d in videos._frame_collection.find()],
    ]


class TestCompute:
    def test_results_are_on_the_frames_of_the_videos_and_in_the_view(
        self, videos: Any, frames: Any
    ) -> None:
        results = compute(frames)

        assert results.config.target.noun == "frame"
        assert len(results.ids) == VIDEOS * LENGTH
        assert videos.list_brain_runs() == ["dfaulo"]
        for name in ("dfaulo_suspiciousness", "dfaulo_reasons", "dfaulo_suggestion"):
            assert stored(videos, name) == shown(frames, name)
        scores = dict(zip(results.ids, results.suspiciousness.tolist()))
        assert stored(videos, "dfaulo_suspiciousness") == scores
        worst = dfaulo.suspicious_view(frames, limit=3).values("id")
        assert set(worst) == fault_ids(videos)
        assert "frames.dfaulo_suspiciousness" in videos.list_indexes()

    def test_results_survive_the_view(self, videos: Any, frames: Any) -> None:
        compute(frames)
        before = shown(frames, "dfaulo_suspiciousness")

        frames.reload()
        anew = videos.to_frames()

        assert shown(frames, "dfaulo_suspiciousness") == before
        assert shown(anew, "dfaulo_suspiciousness") == before
        assert len(dfaulo.suspicious_view(anew, limit=3)) == 3

    def test_a_network_is_trained_on_the_images_of_the_frames(
        self, frames: Any
    ) -> None:
        results = dfaulo.compute_suspiciousness(
            frames, "label", epochs=1, image_size=8, progress=False
        )

        assert len(results.ids) == VIDEOS * LENGTH
        assert results.unreadable == {}

    def test_only_the_frames_of_the_view_are_scored(self, videos: Any) -> None:
        some = videos[:2].to_frames(sample_frames=True).match(F("frame_number") > 5)

        results = compute(some)

        scores = stored(videos, "dfaulo_suspiciousness")
        assert {i for i, s in scores.items() if s is not None} == set(results.ids)
        assert set(results.ids) == set(some.values("id"))

    def test_frames_of_clips_are_frames_of_their_videos(self, videos: Any) -> None:
        spans = [[(1, 10), (6, 15)] for _ in range(VIDEOS)]
        frames = videos.to_clips(spans).to_frames(sample_frames=True)

        compute(frames)

        scores = stored(videos, "dfaulo_suspiciousness")
        assert {i: s for i, s in scores.items() if s is not None} == shown(
            frames, "dfaulo_suspiciousness"
        )
        assert len(frames) == VIDEOS * 15

    def test_labels_that_the_videos_were_filtered_by_stay_filtered(
        self, videos: Any
    ) -> None:
        some = videos.filter_labels(
            "frames.label", F("label") != "c", only_matches=False
        )
        frames = some.to_frames(sample_frames=True)

        results = compute(frames)
        dfaulo.update_suspiciousness(frames)

        assert results.classes == ["a", "b"]
        assert set(frames.distinct("label.label")) == {"a", "b"}
        assert set(stored(videos, "label").values()) != {None}

    def test_a_run_is_replaced_by_the_next_under_its_key(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        results = compute(frames.match(F("frame_number") > 2))

        scores = stored(videos, "dfaulo_suspiciousness")
        assert {i for i, s in scores.items() if s is not None} == set(results.ids)
        assert scores == shown(frames, "dfaulo_suspiciousness")
        assert videos.list_brain_runs() == ["dfaulo"]

    def test_a_run_that_fails_leaves_the_videos_as_they_were(
        self, videos: Any, frames: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, schema = contents(videos), frames.get_field_schema(flat=True).keys()
        monkeypatch.setattr(Storage, "create_index", _fail)

        with pytest.raises(OSError, match="the disk is full"):
            compute(frames)

        assert contents(videos) == before
        assert frames.get_field_schema(flat=True).keys() == schema


def _fail(*args: Any, **kwargs: Any) -> None:
    raise OSError("the disk is full")


class TestReview:
    def test_verdicts_are_kept_with_the_frames_and_learned_from(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        worst = dfaulo.suspicious_view(frames, limit=6)
        ids = worst.values("id")

        counts = dfaulo.record_verdicts(frames, faulty=ids[:3], correct=worst[3:])
        dfaulo.update_suspiciousness(frames)

        assert (counts["faulty"], counts["correct"]) == (3, 3)
        verdicts = stored(videos, "dfaulo_verdict")
        assert [verdicts[i] for i in ids] == 3 * ["faulty"] + 3 * ["correct"]
        assert shown(frames, "dfaulo_verdict") == verdicts
        scores = stored(videos, "dfaulo_suspiciousness")
        assert shown(frames, "dfaulo_suspiciousness") == scores
        assert max(scores[i] for i in ids[3:]) < min(scores[i] for i in ids[:3])
        history = stored(videos, "dfaulo_history")
        assert history[ids[0]][0]["verdict"] == "faulty"
        assert dfaulo.review_status(videos).found == 3
        unreviewed = dfaulo.suspicious_view(frames, unreviewed=True)
        assert not set(ids) & set(unreviewed.values("id"))

    def test_the_videos_themselves_will_do_with_ids_of_frames(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        one, two = sorted(fault_ids(videos))[:2]

        dfaulo.record_verdicts(videos, faulty=[one, two])
        done = dfaulo.apply_suggestions(videos)

        assert done.applied == 2
        assert stored(videos, "label")[one].label == stored(videos, "truth")[one]
        frames.reload()
        assert shown(frames, "dfaulo_verdict")[two] == "faulty"

    def test_corrections_are_made_and_taken_back_byte_for_byte(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        ids = fault_ids(videos)
        dfaulo.record_verdicts(frames, faulty=ids)
        before = [d["label"] for d in videos._frame_collection.find()]
        frame = videos.first().frames[1]  # in memory, and a fault

        assert dfaulo.apply_suggestions(frames).applied == 3

        assert frame.label.label == frame.truth
        truth = stored(videos, "truth")
        for labels in (stored(videos, "label"), shown(frames, "label")):
            assert {i: labels[i].label for i in ids} == {i: truth[i] for i in ids}
            assert all(labels[i].tags == ["corrected"] for i in ids)
        assert dfaulo.review_status(frames).corrected == 3

        assert dfaulo.revert_suggestions(frames).reverted == 3

        assert [d["label"] for d in videos._frame_collection.find()] == before
        assert set(shown(frames, "dfaulo_original_label").values()) == {None}
        assert shown(frames, "label") == stored(videos, "label")

    def test_only_the_frames_of_a_view_are_corrected(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        dfaulo.record_verdicts(frames, faulty=fault_ids(videos))

        assert (
            dfaulo.apply_suggestions(frames.match(F("frame_number") == 1)).applied == 1
        )
        assert dfaulo.apply_suggestions(videos[1:2]).applied == 1

    def test_the_label_of_a_frame_gets_the_tag(self, videos: Any, frames: Any) -> None:
        compute(frames)

        for _ in range(2):
            count = dfaulo.tag_suspicious(frames, top=3, save_view="to relabel")

        assert count == 3
        tagged = {i for i, label in stored(videos, "label").items() if label.tags}
        assert tagged == fault_ids(videos)
        assert shown(frames, "label") == stored(videos, "label")
        saved = videos.load_saved_view("to relabel")
        assert set(saved.values("frames.label.id", unwind=True)) - {None} == {
            stored(videos, "label")[i].id for i in tagged
        }

    def test_a_frame_whose_label_is_gone_is_not_tagged(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        one = frames[dfaulo.suspicious_view(frames).first().id]
        one.label = None
        one.save()

        assert dfaulo.tag_suspicious(frames, top=3) == 3

        assert stored(videos, "label")[one.id] is None
        assert frames.count_label_tags("label") == {"relabel": 3}

    def test_the_review_is_exported_and_the_worst_are_drawn(
        self, videos: Any, frames: Any, tmp_path: Path
    ) -> None:
        compute(frames)
        dfaulo.record_verdicts(frames, faulty=fault_ids(videos))

        dfaulo.export_review(frames, tmp_path / "review.csv")
        picture = dfaulo.save_gallery(frames, path=tmp_path / "worst.png", top=4)

        with open(tmp_path / "review.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["id"] for row in rows} == fault_ids(videos)
        assert {row["filepath"] for row in rows} == {
            stored(videos, "filepath")[i] for i in fault_ids(videos)
        }
        assert picture.stat().st_size > 1_000

    def test_a_ranking_is_compared_with_the_truth_in_the_frames(
        self, frames: Any
    ) -> None:
        compute(frames)

        found = dfaulo.evaluate_ranking(frames, fault_field="truth")

        assert (found["faults"], found["samples"], found["AP"]) == (3, 60, 1.0)

    def test_a_view_whose_frames_were_deleted_by_fiftyone_does_not_hinder(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        frames._frames_dataset.delete()

        dfaulo.record_verdicts(frames, faulty=fault_ids(videos))

        assert list(stored(videos, "dfaulo_verdict").values()).count("faulty") == 3


class TestRunsOnFrames:
    def test_deleting_a_run_deletes_its_fields_everywhere(
        self, videos: Any, frames: Any
    ) -> None:
        before, schema = contents(videos), frames.get_field_schema(flat=True).keys()
        compute(frames)
        dfaulo.record_verdicts(frames, faulty=fault_ids(videos))

        frames.delete_brain_run("dfaulo")

        assert contents(videos) == before
        assert frames.get_field_schema(flat=True).keys() == schema

    def test_renaming_a_run_renames_its_fields_everywhere(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)
        dfaulo.record_verdicts(frames, faulty=fault_ids(videos))
        scores = stored(videos, "dfaulo_suspiciousness")

        frames.rename_brain_run("dfaulo", "second")

        assert stored(videos, "second_suspiciousness") == scores
        assert shown(frames, "second_suspiciousness") == scores
        for schema in (videos.get_frame_field_schema(), frames.get_field_schema()):
            assert not [name for name in schema if name.startswith("dfaulo")]
        assert dfaulo.review_status(frames, "second").found == 3

    def test_fields_are_named_as_the_dataset_or_the_view_does(
        self, videos: Any, frames: Any
    ) -> None:
        config = compute(frames).config
        run = config.build()

        names = ["label", *config.fields]
        assert run.get_fields(frames, "dfaulo") == names
        assert run.get_fields(videos, "dfaulo") == [f"frames.{n}" for n in names]

    def test_a_field_of_the_frames_that_is_not_the_runs_is_not_overwritten(
        self, videos: Any, frames: Any
    ) -> None:
        videos.add_frame_field("dfaulo_reasons", fo.StringField)

        with pytest.raises(dfaulo.RunError, match="would overwrite.*dfaulo_reasons"):
            compute(frames)

    def test_a_field_of_the_videos_is_no_field_of_the_frames(
        self, videos: Any, frames: Any
    ) -> None:
        videos.add_sample_field("dfaulo_reasons", fo.StringField)

        compute(frames)
        frames.delete_brain_run("dfaulo")

        assert videos.has_sample_field("dfaulo_reasons")


class TestObjects:
    @pytest.fixture
    def scored(self, make_videos: Callable[..., Any]) -> tuple[Any, Any]:
        videos = make_videos(objects=True)
        frames = videos.to_frames(sample_frames=True)
        dfaulo.compute_suspiciousness(frames, "boxes", embeddings="emb", progress=False)
        return videos, frames

    def test_the_objects_of_frames_are_scored(self, scored: tuple[Any, Any]) -> None:
        videos, frames = scored
        patches = dfaulo.suspicious_view(frames.to_patches("boxes"), limit=3)

        worst = set(patches.values("frame_id"))
        assert worst == fault_ids(videos)
        path = "boxes.detections.dfaulo_suspiciousness"
        assert shown(frames, path) == stored(videos, path)
        top = {i: max(scores) for i, scores in shown(frames, path).items()}
        assert stored(videos, "dfaulo_suspiciousness") == top
        assert shown(frames, "dfaulo_suspiciousness") == top
        assert set(dfaulo.suspicious_view(frames, limit=3).values("id")) == worst

    def test_a_review_of_objects_ends_with_them_corrected(
        self, scored: tuple[Any, Any]
    ) -> None:
        videos, frames = scored
        patches = dfaulo.suspicious_view(frames.to_patches("boxes"), limit=3)
        path = "boxes.detections.label"
        before = stored(videos, path)

        dfaulo.record_verdicts(patches, faulty=patches)
        assert dfaulo.apply_suggestions(patches).applied == 3

        truth = stored(videos, "truth")
        for labels in (stored(videos, path), shown(frames, path)):
            assert labels == {i: [t, t] for i, t in truth.items()}
        assert dfaulo.revert_suggestions(frames).reverted == 3
        assert stored(videos, path) == before == shown(frames, path)

        assert dfaulo.tag_suspicious(frames, verdict="faulty") == 3
        for samples, field in ((videos, "frames.boxes"), (frames, "boxes")):
            assert samples.count_label_tags(field) == {"relabel": 3}

    def test_a_run_on_objects_is_renamed(self, scored: tuple[Any, Any]) -> None:
        videos, frames = scored
        path = "boxes.detections.second_suspiciousness"
        scores = stored(videos, "boxes.detections.dfaulo_suspiciousness")

        frames.rename_brain_run("dfaulo", "second")

        assert stored(videos, path) == scores == shown(frames, path)
        assert not videos.has_frame_field("dfaulo_suspiciousness")
        assert not frames.has_field("boxes.detections.dfaulo_suspiciousness")

    def test_patches_of_frames_are_read_frame_by_frame(
        self, make_videos: Callable[..., Any]
    ) -> None:
        videos = make_videos(objects=True)
        boxes = videos.values("frames.boxes")  # whose ids ascend with the frames'
        videos.set_values("frames.boxes", [some[::-1] for some in boxes])
        frames = videos.to_frames(sample_frames=True)
        compute = dfaulo.compute_suspiciousness

        whole = compute(frames, "boxes", embeddings="emb", progress=False)
        patches = frames.to_patches("boxes")
        parts = compute(patches, "boxes", embeddings="emb", progress=False)

        assert parts.ids == whole.ids
        np.testing.assert_array_equal(parts.suspiciousness, whole.suspiciousness)


class TestGroups:
    """A dataset with a slice of videos and one of images can have runs on both."""

    @pytest.fixture
    def groups(self, videos: Any) -> Iterator[Any]:
        dataset = fo.Dataset()
        dataset.add_group_field("group", default="image")
        for n, video in enumerate(videos):
            group = fo.Group()
            sample = video.copy()
            sample["group"] = group.element("video")
            image = fo.Sample(
                filepath=video.filepath.replace(".mp4", "/000001.jpg"),
                group=group.element("image"),
                label=fo.Classification(label="abb"[n]),
                emb=[float(n), 1.0],
            )
            dataset.add_samples([sample, image])
        yield dataset
        dataset.delete()

    def test_runs_on_frames_and_on_samples_stay_apart(self, groups: Any) -> None:
        frames = groups.select_group_slices("video").to_frames(sample_frames=True)
        compute(groups, "images")
        results = compute(frames, "frames")

        assert results.config.target.noun == "frame"
        assert groups.has_sample_field("images_suspiciousness")
        assert not groups.has_frame_field("images_suspiciousness")
        assert not groups.has_sample_field("frames_suspiciousness")
        with pytest.raises(InputError, match="view of video frames.*pass the dataset"):
            dfaulo.suspicious_view(frames, "images")
        with pytest.raises(InputError, match="view of video frames.*pass the dataset"):
            dfaulo.record_verdicts(frames, "images", faulty=frames[:1])

    def test_fields_of_frames_are_not_those_of_a_run_on_samples(
        self, groups: Any
    ) -> None:
        compute(groups)
        kind = {"embedded_doc_type": fo.Classification}
        groups.add_frame_field("dfaulo_suggestion", fo.EmbeddedDocumentField, **kind)
        frames = groups.select_group_slices("video").to_frames(sample_frames=True)

        assert "dfaulo_suggestion" in list_label_fields(frames)
        with pytest.raises(dfaulo.RunError, match="would overwrite.*_suggestion"):
            compute(frames)


class TestCopies:
    def test_faults_are_planted_in_a_copy_that_is_an_image_dataset(
        self, videos: Any, frames: Any
    ) -> None:
        before = contents(videos)

        copy = dfaulo.inject_faults(frames, "label", rate=0.1)
        try:
            assert copy.media_type == "image"
            assert copy.count_values("injected_fault")[True] == 6
            compute(copy)
        finally:
            copy.delete()

        assert contents(videos) == before


class TestRefused:
    """Everything that cannot be done is refused before anything is computed."""

    @pytest.fixture(autouse=True)
    def nothing_changes(self, videos: Any, frames: Any) -> Iterator[None]:
        before = contents(videos)
        yield
        assert contents(videos) == before

    def test_videos_and_clips_are_to_be_made_frames_of(self, videos: Any) -> None:
        spans = [[(1, 5)] for _ in range(VIDEOS)]

        for field in ("label", "frames.label"):
            with pytest.raises(InputError, match=r"videos.*to_frames\(sample_frames"):
                dfaulo.compute_suspiciousness(videos, field)
        with pytest.raises(InputError, match=r"clips.*to_frames\(sample_frames"):
            compute(videos.to_clips(spans))

    def test_frames_without_image_files(self, videos: Any) -> None:
        with pytest.raises(InputError, match="no image files.*dynamic"):
            compute(videos.to_frames(sample_frames="dynamic"))

    def test_frames_that_the_videos_no_longer_have(
        self, videos: Any, frames: Any
    ) -> None:
        some = [dict(d) for d in videos._frame_collection.find({"frame_number": 1})]
        videos._frame_collection.delete_many({"frame_number": 1})

        with pytest.raises(InputError, match=r"3 frames.*no longer.*reload\(\)"):
            compute(frames)

        rest = [*videos._frame_collection.find()]
        videos._frame_collection.delete_many({})
        videos._frame_collection.insert_many(sorted([*some, *rest], key=_by_id))

    def test_a_label_field_that_the_frames_no_longer_have(
        self, make_videos: Callable[..., Any]
    ) -> None:
        videos = make_videos()
        frames = videos.to_frames(sample_frames=True)
        videos.delete_frame_field("label")

        with pytest.raises(InputError, match=r"'label' was deleted.*reload\(\)"):
            compute(frames)

    def test_the_name_that_the_videos_have_for_a_label_field(self, frames: Any) -> None:
        with pytest.raises(InputError, match="pass label_field='label'"):
            dfaulo.compute_suspiciousness(frames, "frames.label")

    def test_planting_faults_in_the_frames_themselves(self, frames: Any) -> None:
        with pytest.raises(InputError, match="in_place=False"):
            dfaulo.inject_faults(frames, "label", in_place=True)


class TestOtherViews:
    def test_videos_are_no_view_of_what_was_scored(
        self, videos: Any, frames: Any
    ) -> None:
        compute(frames)

        with pytest.raises(InputError, match=r"scored frames.*to_frames\(\)"):
            dfaulo.suspicious_view(videos)
        with pytest.raises(InputError, match=r"scored frames.*to_frames\(\)"):
            dfaulo.save_gallery(videos)
        with pytest.raises(InputError, match=r"view of videos.*to_frames\(\)"):
            dfaulo.record_verdicts(videos, faulty=videos[:1])

    def test_a_view_from_before_the_run_is_to_be_reloaded(self, videos: Any) -> None:
        early = videos.to_frames(sample_frames=True)
        compute(videos.to_frames())

        with pytest.raises(InputError, match=r"made before the run.*reload\(\)"):
            dfaulo.suspicious_view(early)

        early.reload()
        assert len(dfaulo.suspicious_view(early)) == VIDEOS * LENGTH


def _by_id(document: dict[str, Any]) -> Any:
    return document["_id"]


class TestTags:
    @pytest.fixture
    def frames(self, videos: Any) -> Any:
        """The frames, their label the only tag of each in ``tags_``."""
        for video in videos:
            for frame in video.frames.values():
                tag = fo.Classification(label=frame.label.label)
                frame["tags_"] = fo.Classifications(classifications=[tag])
            video.save()
        return videos.to_frames(sample_frames=True)

    def test_frames_are_compared_with_a_boolean_field(
        self, videos: Any, frames: Any
    ) -> None:
        dfaulo.compute_suspiciousness(frames, "tags_", embeddings="emb", progress=False)
        faults = fault_ids(videos)
        frames.set_values("fault", [one in faults for one in frames.values("id")])
        frames.save(["fault"])
        assert dfaulo.evaluate_ranking(frames, fault_field="fault")["AP"] == 1

    def test_labels_of_frames_get_a_tag_each_once(
        self, videos: Any, frames: Any
    ) -> None:
        path = "tags_.classifications"
        dfaulo.compute_suspiciousness(frames, "tags_", embeddings="emb", progress=False)
        ids = dfaulo.suspicious_view(frames).values("id")
        empty, two = frames[ids[0]], frames[ids[1]]
        empty.tags_.classifications = []
        known = fo.Classification(label="x", tags=["relabel", "mine"])
        two.tags_.classifications.append(known)
        empty.save()
        two.save()
        assert dfaulo.tag_suspicious(frames, top=2, save_view="relabel") == 2
        tags = stored(videos, f"{path}.tags")
        assert {one for one, some in tags.items() if some and any(some)} == {*ids[1:3]}
        assert tags[ids[1]] == [["relabel"], ["relabel", "mine"]]
        saved = videos.load_saved_view("relabel")
        assert saved.count(f"frames.{path}") == 3
        assert shown(frames, f"{path}.tags")[ids[1]] == tags[ids[1]]

    def test_tags_of_frames_are_scored_corrected_and_reverted(
        self, videos: Any, frames: Any
    ) -> None:
        before = contents(videos)
        dfaulo.compute_suspiciousness(frames, "tags_", embeddings="emb", progress=False)
        top = dfaulo.suspicious_view(frames, limit=3)
        assert set(top.values("id")) == fault_ids(videos)
        assert set(shown(frames, "dfaulo_suspiciousness")) == set(
            stored(videos, "dfaulo_suspiciousness")
        )
        scored = stored(videos, "tags_.classifications.dfaulo_suspiciousness")
        assert all(0 <= one <= 1 for some in scored.values() for one in some)

        dfaulo.apply_suggestions(frames, ids=top)
        tags = stored(videos, "tags_.classifications.label")
        given = stored(videos, "label.label")
        for one in fault_ids(videos):
            assert given[one] not in tags[one]
            assert shown(frames, "tags_.classifications.label")[one] == tags[one]
        dfaulo.revert_suggestions(frames)
        frames.delete_brain_run("dfaulo")
        assert contents(videos) == before
