"""A dataset is shown as the database has it; what the caller changed stays."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.errors import RunError
from tests.adapter.process import last_json, run_forked

OTHERS = """
import sys, fiftyone as fo
dataset = fo.load_dataset(sys.argv[1])
dataset.info["theirs"] = 2
dataset.add_sample_field("theirs", fo.IntField)
dataset.save()
dataset.name = sys.argv[1] + "-renamed"
print(1)
"""


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """A sample."""
    made = make_dataset(["a"])
    made.persistent = True
    return made


def test_unsaved_changes_stay_and_others_changes_show(dataset: Any) -> None:
    dataset.info["mine"] = 1
    dataset.default_classes.append("a")
    dataset.app_config.grid_media_field = "filepath"
    old = dataset.name
    last_json(run_forked(OTHERS, old))

    refresh(dataset)

    assert dataset.name == f"{old}-renamed"
    assert dataset.has_sample_field("theirs")
    assert dataset.info == {"mine": 1, "theirs": 2}
    assert dataset.default_classes == ["a"]
    dataset.save()
    dataset.reload()
    assert dataset.info == {"mine": 1, "theirs": 2}
    assert dataset.default_classes == ["a"]


def test_a_deleted_dataset_is_our_error(dataset: Any) -> None:
    code = "import sys, fiftyone as fo; fo.delete_dataset(sys.argv[1]); print(1)"
    last_json(run_forked(code, dataset.name))
    with pytest.raises(RunError, match="deleted meanwhile"):
        refresh(dataset)
