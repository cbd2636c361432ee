"""Each reason on a sample made for it."""

import numpy as np

from fiftyone_dfaulo.engine.method import reasons

OWN, OTHER, NONE = [0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.34, 0.33, 0.33]


def find(rows, suspiciousness, foreign, original=None, paired=None):
    if original is not None:  # the loss of label 0
        original = -np.log(original)[:, 0]
    rows = np.array(rows)
    return reasons.find_reasons(
        rows.argmax(1),
        rows.max(1),
        np.zeros(len(rows), int),
        np.array(suspiciousness),
        np.array(foreign),
        np.zeros(len(rows), bool) if paired is None else np.array(paired),
        original,
    ).tolist()


def test_each_reason_says_what_its_name_says():
    rows = [OWN, OTHER, NONE, OWN, OTHER]
    foreign = [False, False, False, True, True]
    original = [OWN, OWN, [0.2, 0.4, 0.4], OWN, OWN]
    another, none, hard, _ = np.eye(4, dtype=bool)
    expected = np.array([another & none, another, none | hard, none, none])
    assert find(rows, [0.9] * 5, foreign, original) == expected.tolist()


def test_samples_that_are_not_suspicious_need_no_reason():
    found = find([OTHER, NONE, OWN], [0.1] * 3, [False, False, True], [NONE] * 3)
    assert not np.any(found)


def test_without_an_original_model_nothing_is_hard_to_learn():
    assert find([OTHER], [0.9], [False]) == [[True, False, False, False]]


def test_a_near_duplicate_with_another_label_is_a_reason_if_there_is_suspicion():
    another, none, _, duplicate = np.eye(4, dtype=bool)
    found = find([OTHER, OTHER], [0.9] * 2, [False, True], None, [True] * 2)
    assert found == np.array([another | duplicate, none | duplicate]).tolist()
    assert not np.any(find([OTHER], [0.1], [False], None, [True]))
