"""What may be given where ids are asked for."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.corrections.apply import apply_suggestions
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness
from fiftyone_dfaulo.errors import InputError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    dataset = make_dataset(["a", "b", "a", "b"])
    write_run(make_results(dataset))
    return dataset


def faulty(dataset: Any) -> list[int]:
    """Positions of the samples that are marked."""
    dataset.reload()
    found = dataset.values("dfaulo_verdict")
    return [n for n, verdict in enumerate(found) if verdict == "faulty"]


def test_a_sample_stands_for_its_id(dataset: Any) -> None:
    record_verdicts(dataset, faulty=dataset.first())
    assert faulty(dataset) == [0]


def test_so_do_those_in_a_list_also_of_a_view_and_each_once(dataset: Any) -> None:
    some = [*dataset.limit(2), dataset.first(), dataset.view().last(), dataset[:1]]
    assert record_verdicts(dataset, faulty=some[:-1])["faulty"] == 3
    assert faulty(dataset) == [0, 1, 3]
    assert apply_suggestions(dataset, ids=[dataset.first()]).applied == 1
    with pytest.raises(InputError, match="holds"):  # a view in a list is no id
        record_verdicts(dataset, faulty=some)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (fo.Sample("x.png"), "faulty is a Sample; expected sample ids or a view"),
        ([fo.Sample("x.png")], "faulty holds a Sample that no dataset holds; expected"),
        ([fo.Classification(label="a")], "faulty holds a Classification; expected"),
        ([["a"]], r"faulty holds \['a'\]; expected"),
        ([{}], "faulty holds {}; expected sample ids"),
        (7, "faulty is a int; expected sample ids or a view"),
    ],
)
def test_what_has_no_id_is_refused(
    dataset: Any, unchanged: Any, given: Any, message: str
) -> None:
    check_same = unchanged(dataset)
    with pytest.raises(InputError, match=message):
        record_verdicts(dataset, faulty=given)
    check_same()


def test_of_objects_labels_and_patches_stand_for_their_ids(make_dataset: Any) -> None:
    dataset = make_dataset(["x", "x"])
    for sample in dataset:
        sample["boxes"] = fo.Detections(
            detections=[
                fo.Detection(label=x, bounding_box=[0, 0, 1, 1], emb=[n, -1.0])
                for n, x in enumerate("abab")
            ]
        )
        sample.save()
    dataset.add_dynamic_sample_fields()
    compute_suspiciousness(dataset, "boxes", embeddings="emb", progress=False)
    patches, label = dataset.to_patches("boxes"), dataset.last().boxes.detections[1]
    given = [patches.first(), label]
    assert record_verdicts(dataset, faulty=given)["faulty"] == 2
    marked = dataset.to_patches("boxes").exists("boxes.dfaulo_verdict")
    assert set(marked.values("id")) == {one.id for one in given}
    with pytest.raises(InputError, match="They are samples: pass the ids of objects"):
        record_verdicts(dataset, faulty=dataset.first())
