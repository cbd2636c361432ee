"""Which logit belongs to which class."""

from __future__ import annotations

import pytest

from fiftyone_dfaulo.engine.models.class_matching import match_classes
from fiftyone_dfaulo.errors import InputError

NAMES = ["cat", "dog"]


def columns(*args: object, **kwargs: object) -> list[int] | None:
    found = match_classes(*args, **kwargs).columns  # type: ignore[arg-type]
    return None if found is None else found.tolist()


def test_classes_are_found_by_name_wherever_they_are() -> None:
    assert columns(3, NAMES, given=["dog", "cow", "cat"]) == [2, 0]
    assert columns(3, NAMES, stated=["dog", "cow", "cat"]) == [2, 0]
    assert columns(2, NAMES, given=["cat", "dog"], stated=["dog", "cat"]) == [0, 1]


def test_without_names_as_many_logits_are_the_sorted_classes_and_it_is_noted() -> None:
    match = match_classes(2, NAMES)
    assert columns(2, NAMES) == [0, 1]
    assert "in the order cat, dog. Pass classes=" in str(match.note)


@pytest.mark.parametrize(
    ("outputs", "stated", "expected"),
    [
        (3, None, "3 logits without names and the labels have 2 classes"),
        (3, ["cat", "cow", "pig"], "not 1 of the 2 here, such as 'dog'"),
        (2, ["cat", "cow", "dog"], "states 3 classes and gives 2 logits"),
    ],
)
def test_mismatch_leaves_the_embeddings_and_is_explained(
    outputs: int, stated: list[str] | None, expected: str
) -> None:
    match = match_classes(outputs, NAMES, stated=stated)
    assert match.columns is None
    assert expected in str(match.note)
    assert str(match.note).endswith("only its embeddings are used, not its logits.")


@pytest.mark.parametrize(
    ("outputs", "given", "expected"),
    [
        (3, ["cat", "dog"], "lists 2 names and the model gives 3 logits"),
        (2, ["cat", "cow"], "lacks 1 of the 2 classes in the labels: 'dog'"),
    ],
)
def test_given_list_that_does_not_fit_is_an_error(
    outputs: int, given: list[str], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        match_classes(outputs, NAMES, given=given)
