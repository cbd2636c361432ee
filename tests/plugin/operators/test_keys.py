"""What a key does; tests/app/test_clicks.py presses them in a browser."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo import InputError, compute_suspiciousness
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.plugin.app.keys import class_keys, describe_keys
from fiftyone_dfaulo.plugin.operators.keys import MarkByKey
from tests.plugin.plugin_tools import context


@pytest.fixture
def run(scored: Any) -> Any:
    """The dataset after a run, with a class that is a digit."""
    labels = [k and k.replace("b", "7") for k in scored.values("ground_truth.label")]
    scored.set_values("ground_truth.label", labels)
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    return scored


def press(dataset: Any, key: str, *ids: str, opened: str | None = None) -> None:
    request = {"selected": list(ids), "selected_samples": [{"id": i} for i in ids]}
    ctx = context(dataset, request={**request, "current_sample": opened}, key=key)
    MarkByKey().execute(ctx)


def test_keys_give_verdicts_and_classes(run: Any) -> None:
    ids = run.values("id")
    press(run, "f", *ids[:2])
    press(run, "g", ids[2], opened=ids[1])  # what is open is meant
    press(run, "u", ids[0])
    press(run, "n", ids[3])
    press(run, "e", ids[4])
    press(run, "7", opened=ids[6])
    run.reload()
    verdicts = run.values("dfaulo_verdict")
    assert verdicts[:7] == [None, "correct", None, "unsure", "exclude", None, "faulty"]
    assert run[ids[6]].ground_truth.label == "7"
    with pytest.raises(InputError, match="stands for no class; 7: 7"):
        press(run, "1", ids[0])
    with pytest.raises(InputError, match="No sample is selected or open"):
        press(run, "f")


def test_digits_stand_for_classes_in_their_order_unless_these_are_digits(
    run: Any, scored: Any
) -> None:
    assert class_keys(open_review(run, "dfaulo")) == {"7": "7"}
    assert "s what it looks like, the digit of its class" in describe_keys({"7": "7"})
    assert "1 a, 2 b" in describe_keys({"1": "a", "2": "b"})
    assert describe_keys({}).endswith("s faulty, and what it looks like")
