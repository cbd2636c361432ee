"""Whatever is passed in, only this package's own errors come out.

Each function, operator and event of the panel is called as it should be, with some of
its arguments replaced by odd values. The calls are the same every time. With
``DFAULO_FUZZ=160`` it is 160 of each, more than 10,000, instead of the few here.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
import pytest
from fiftyone.operators.executor import (
    ExecutionContext,
    ExecutionError,
    ValidationContext,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fiftyone_dfaulo
from fiftyone_dfaulo import DFauLoError, compute_suspiciousness, record_verdicts
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.conftest import build_dataset
from tests.odd_values import JSON, ODD
from tests.plugin.plugin_tools import context

pytestmark = pytest.mark.usefixtures("nobody_else")

CALLS = int(os.environ.get("DFAULO_FUZZ", "8"))

FUNCTIONS = {
    name: getattr(fiftyone_dfaulo, name)
    for name in fiftyone_dfaulo.__all__
    if inspect.isfunction(getattr(fiftyone_dfaulo, name)) and name != "cache_info"
}

GIVEN: dict[str, dict[str, Any]] = {
    "carry_verdicts": {"source": "dfaulo"},
    "compute_suspiciousness": {"brain_key": "other", "embeddings": "vectors"},
    "estimate_quality": {"embeddings": "vectors", "rate": 0.2},
    "evaluate_ranking": {"fault_field": "truth"},
    "export_review": {"path": "review.csv"},
    "inject_faults": {"label_field": "ground_truth"},
    "save_gallery": {"path": "gallery.png"},
    "tag_suspicious": {"top": 3},
}
"""What a sound call of a function has, besides the samples."""

MORE = ("model", "predictions", "method", "depth", "layer", "classes", "preprocessing")
MORE += ("factory", "trust_model_file", "out_of_sample", "image_size", "epochs")
MORE += ("batch_size", "num_workers", "memory_budget", "device", "train", "cache")
"""The settings that functions take by ``**settings``."""

EVENTS = [
    name
    for home in reversed(ReviewPanel.__mro__)
    if home.__module__.startswith("fiftyone_dfaulo.")
    for name, value in vars(home).items()
    if not name.startswith("_")
    and inspect.isfunction(value)
    and name not in ("render", "refresh")
]

fuzzed = settings(
    max_examples=CALLS,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class World:
    """A dataset with a run and verdicts, which odd calls may change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.made: Any = None

    @property
    def dataset(self) -> Any:
        """The dataset; a new one if a call has deleted or spoiled it."""
        if self.made is None or len(self.made) != 24:
            self._make()
        elif not self.made.has_brain_run("dfaulo"):
            self._score()
        return self.made

    def _make(self) -> None:
        self.number += 1
        truth = ["ab"[n % 2] for n in range(24)]
        labels = ["b" if n == 4 else name for n, name in enumerate(truth)]
        self.made = build_dataset(self.folder / f"images{self.number}", labels)
        rng = np.random.default_rng(51)
        vectors = rng.normal(size=(24, 3)) + np.tile([[4.0], [-4.0]], (12, 1))
        self.made.set_values("vectors", vectors.tolist())
        self.made.set_values("truth", [n == 4 for n in range(24)])
        self._score()

    def _score(self) -> None:
        compute_suspiciousness(
            self.made, embeddings="vectors", progress=False, overwrite=True
        )
        ids = self.made.values("id")
        record_verdicts(self.made, faulty=ids[4:5], correct=ids[:3])

    def samples(self, which: str) -> Any:
        """The dataset, or another thing that samples could be."""
        if which == "deleted":
            gone = fo.Dataset()
            gone.delete()
            return gone
        if which == "deleted elsewhere":
            gone = fo.Dataset()
            view = gone.view()
            gone._sample_collection.database.datasets.delete_one({"_id": gone._doc.id})
            return view
        if which == "empty":
            return self.dataset.limit(1).skip(1)
        if which == "one field":
            return self.dataset.select_fields("ground_truth")
        return self.dataset.view() if which == "view" else self.dataset


WHICH = ("dataset", "view", "empty", "one field", "deleted", "deleted elsewhere")


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    before = set(fo.list_datasets())
    yield World(tmp_path_factory.mktemp("fuzzed"))
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


@pytest.fixture
def world(
    shared_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """The dataset, and a folder of its own to run in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "datasets"))
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "dfaulo").symlink_to(Path(__file__).parents[1])
    monkeypatch.setattr(fo.config, "plugins_dir", str(plugins))
    return shared_world


class Foreign(list[str]):
    """Errors that are not ours, and where each was raised.

    They are counted to the end, as calls change the dataset: Hypothesis could not
    repeat the last one alone to find a simpler one.
    """

    def attempt(self, call: Callable[[], Any], *allowed: type[Exception]) -> None:
        """Calls, and takes only errors of our own, whose text is worth reading."""
        try:
            call()
        except (DFauLoError, *allowed) as error:
            if not str(error).strip():
                self.append("an error without a text")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            lines = traceback.format_exception(error)
            self.append("".join(lines)[-2500:])

    def check(self) -> None:
        """Fails with the first of each kind."""
        kinds = {text[-200:]: text for text in reversed(self)}
        assert not kinds, "\n\n".join(list(kinds.values())[:6])


def named(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments, without the samples."""
    names = [
        one.name
        for one in inspect.signature(function).parameters.values()
        if one.kind != one.VAR_KEYWORD
    ]
    takes_more = len(names) < len(inspect.signature(function).parameters)
    return [*names[1:], *(MORE if takes_more else ())]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_public_function_raises_only_our_errors(name: str, world: World) -> None:
    function = FUNCTIONS[name]
    names = named(function)

    foreign = Foreign()

    @fuzzed
    @given(
        st.sampled_from(WHICH[:1] * 12 + WHICH) | ODD,
        st.dictionaries(st.sampled_from(names), ODD, max_size=2)
        if names
        else st.just({}),
    )
    def call(which: Any, odd: dict[str, Any]) -> None:
        known = isinstance(which, str) and which in WHICH
        samples = world.samples(which) if known else which
        more = {"progress": False} if "progress" in names else {}
        foreign.attempt(
            lambda: function(samples, **{**GIVEN.get(name, {}), **more, **odd})
        )

    call()
    foreign.check()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.name_)
def test_an_operator_raises_only_our_errors(operator: Any, world: World) -> None:
    one = operator()
    names = sorted({*one.takes, *form_names(one, world), "brain_key"})

    foreign = Foreign()

    @fuzzed
    @given(
        st.dictionaries(st.sampled_from(names), JSON, max_size=3),
        st.lists(JSON, max_size=2),
    )
    def execute(odd: dict[str, Any], selected: list[Any]) -> None:
        usual = {"label_field": "ground_truth", "embeddings": "vectors", "epochs": 1}
        request = {"selected": selected}
        ctx = context(world.dataset, request=request, **{**usual, **odd})
        foreign.attempt(lambda: run(one, ctx))

    execute()
    foreign.check()


def form_names(operator: Any, world: World) -> list[str]:
    """The names of what an operator's form asks for, under Advanced too."""
    ctx = context(world.dataset, prompt="names", advanced=True, source="file")
    form = operator.resolve_input(ctx)
    return [] if form is None else list(form.type.properties)


def run(operator: Any, ctx: ExecutionContext) -> None:
    """Builds the form and executes to the end if it is in order, as FiftyOne does."""
    form = operator.resolve_input(ctx)
    if ValidationContext(ctx, form, operator).invalid:
        return
    sent = operator.execute(ctx)
    if operator.config.execute_as_generator:
        list(sent)


FOR_THE_APP = ("open_review", "cancel_run")
CALLABLE = [cls for cls in OPERATORS if cls.name_ not in FOR_THE_APP]
"""Those that Python users can call."""


@pytest.mark.parametrize("operator", CALLABLE, ids=lambda cls: cls.name_)
def test_calling_an_operator_raises_only_our_errors(
    operator: Any, world: World
) -> None:
    one = foo.get_operator(f"@dfaulo/dfaulo/{operator.name_}")
    usual = GIVEN.get(one.name_, {})

    foreign = Foreign()

    @fuzzed
    @given(
        st.sampled_from(WHICH[:1] * 8 + WHICH) | ODD,
        st.dictionaries(st.sampled_from([*one.takes, "odd"]), ODD, max_size=2),
    )
    def call(which: Any, odd: dict[str, Any]) -> None:
        known = isinstance(which, str) and which in WHICH
        samples = world.samples(which) if known else which
        given = {**usual, **odd} if one.takes else {}
        # FiftyOne wraps what an operator raises and what its form marks
        foreign.attempt(lambda: one(samples, **given), ExecutionError)

    call()
    foreign.check()


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_the_panel_never_fails(name: str, world: World) -> None:
    panel = ReviewPanel()

    foreign = Foreign()

    @fuzzed
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "facts",
                    "filter",
                    "undo",
                    "run",
                    "batch_size",
                    "by",
                    "batch_run",
                    "why",
                ]
            ),
            JSON,
            max_size=3,
        ),
        st.dictionaries(st.sampled_from(["value", "x", "row"]), JSON, max_size=2),
        st.booleans(),
    )
    def event(state: dict[str, Any], params: dict[str, Any], loaded: bool) -> None:
        ctx = context(world.dataset, panel_id="1", panel_state=dict(state), **params)
        if loaded:
            panel.on_load(ctx)
        foreign.attempt(lambda: getattr(panel, name)(ctx))
        foreign.attempt(lambda: panel.render(ctx))
        shown = context(world.dataset, panel_id="1", panel_state=dict(state))
        foreign.attempt(lambda: panel.render(shown))

    event()
    foreign.check()
