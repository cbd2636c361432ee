"""The colours of a run can be read, and a person's own stay."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import update_suspiciousness
from fiftyone_dfaulo.adapter.review import learning
from fiftyone_dfaulo.adapter.runs.colors import (
    CORRECT,
    FAULTY,
    LIKELY,
    POOL,
    SUGGESTED,
    UNLIKELY,
    own_scheme,
)
from fiftyone_dfaulo.adapter.runs.writer import write_run


def colored(dataset: Any) -> list[str] | None:
    """Keys of the runs whose fields have colours of their own."""
    dataset.reload()
    scheme = dataset.app_config.color_scheme
    if scheme is None:
        return None
    return [field["path"].split("_")[0] for field in scheme.fields[::2]]


def colors_of(fields: Any) -> dict[str, dict[str, str]]:
    """Path to value to colour."""
    return {
        field["path"]: {one["value"]: one["color"] for one in field["valueColors"]}
        for field in fields
    }


def check_tiles(dataset: Any, key: str) -> None:
    """Makes sure that every score has its colour as it stands on the tile."""
    dataset.reload()
    name = f"{key}_suspiciousness"
    colors = colors_of(dataset.app_config.color_scheme.fields)[name]
    for score in dataset.values(name):
        tile = f"{float(f'{score:.3f}'):g}"
        assert colors[tile] == (LIKELY if float(tile) >= 0.5 else UNLIKELY)


def luminance(color: str) -> float:
    """As WCAG defines it: 0 of black, 1 of white."""
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", [FAULTY, CORRECT, LIKELY, UNLIKELY, SUGGESTED, *POOL])
def test_black_and_white_text_can_be_read(color: str) -> None:
    assert 1.05 / (luminance(color) + 0.05) >= 4.5
    assert (luminance(color) + 0.05) / 0.05 >= 4.5


def test_colors_come_and_go_with_the_run(make_dataset: Any, make_results: Any) -> None:
    dataset = make_dataset(["a", "b", "a"])
    write_run(make_results(dataset))
    write_run(make_results(dataset))  # in its place
    colors = colors_of(dataset.app_config.color_scheme.fields)
    verdicts = {
        "faulty": FAULTY,
        "correct": CORRECT,
        "unsure": UNLIKELY,
        "exclude": LIKELY,
    }
    assert colors["dfaulo_verdict"] == verdicts
    check_tiles(dataset, "dfaulo")
    scheme: Any = own_scheme(dataset)
    scores = colors_of(scheme["fields"])["dfaulo_suspiciousness"]
    assert len(scores) == 1001
    assert (scores["0.499"], scores["0.5"], scores["1"]) == (UNLIKELY, LIKELY, LIKELY)
    write_run(make_results(dataset, "two"))
    assert colored(dataset) == ["dfaulo", "two"]
    dataset.rename_brain_run("two", "three")
    assert colored(dataset) == ["dfaulo", "three"]
    check_tiles(dataset, "three")
    dataset.delete_brain_run("dfaulo")
    assert colored(dataset) == ["three"]
    dataset.delete_brain_run("three")
    assert colored(dataset) is None


def test_learned_scores_have_colors(
    make_dataset: Any, make_results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(["a", "b", "a"])
    write_run(make_results(dataset))
    learned = np.array([0.1234, 0.4996, 0.987])
    monkeypatch.setattr(learning, "learned_scores", lambda *args: learned)
    update_suspiciousness(dataset)
    assert dataset.values("dfaulo_suspiciousness") == learned.tolist()
    check_tiles(dataset, "dfaulo")


def test_colors_of_a_person_stay(make_dataset: Any, make_results: Any) -> None:
    dataset = make_dataset(["a", "b", "a"])
    mine = fo.ColorScheme(color_pool=["#ff0000"])
    dataset.app_config.color_scheme = mine
    dataset.save()
    write_run(make_results(dataset))
    dataset.reload()
    assert dataset.app_config.color_scheme == mine
    dataset.delete_brain_run("dfaulo")
    dataset.reload()
    assert dataset.app_config.color_scheme == mine


def test_a_scheme_that_a_person_has_changed_is_theirs(
    make_dataset: Any, make_results: Any
) -> None:
    dataset = make_dataset(["a", "b", "a"])
    write_run(make_results(dataset))
    dataset.app_config.color_scheme.color_by = "field"
    dataset.save()
    dataset.delete_brain_run("dfaulo")
    assert colored(dataset) == ["dfaulo"]


def test_one_color_that_a_person_has_changed_makes_it_theirs(
    make_dataset: Any, make_results: Any
) -> None:
    dataset = make_dataset(["a", "b", "a"])
    write_run(make_results(dataset))
    dataset.app_config.color_scheme.fields[0]["valueColors"][0]["color"] = "#ff0000"
    dataset.save()
    assert own_scheme(dataset) is None
    dataset.delete_brain_run("dfaulo")
    assert colored(dataset) == ["dfaulo"]
