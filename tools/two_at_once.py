"""Has two processes change one dataset at the same time, and counts what goes wrong.

    python tools/isolated.py python tools/two_at_once.py [--trials N] [PAIR ...]

Each trial makes a small dataset, lets two processes start what the pair names in the
same moment, or one of them a little later, and then looks at the dataset as a third:

``unreadable``  the dataset, or its clone, or a sample of it, cannot be loaded
``unsound``     a run lacks fields or values, fields have no run, values are in no
                schema, or what reported success is not there
``locked out``  afterwards no run can be made under the key, or deleting it leaves
                something
``foreign``     a function of ours raised what is no DFauLoError

The exit status is 1 if any of these is not 0.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

KEY, OTHER = "dfaulo", "second"
SAMPLES = 24
LATEST = 0.6
"""Seconds that one of the two starts later at most: about what a run takes."""


class Pair(NamedTuple):
    """What runs at the same time, and whether a finished run is there before."""

    first: str
    second: str
    prepared: bool = False


PAIRS = {
    "two-keys": Pair("run", "run_other"),
    "one-key": Pair("run", "run"),
    "add-field": Pair("run", "add_sample_field"),
    "clone": Pair("run", "clone"),
    "delete-learn": Pair("delete", "learn", True),
    "delete-record": Pair("delete", "record", True),
    "delete-correct": Pair("delete", "correct", True),
    "rename-run": Pair("rename", "run_other", True),
    "rename-same": Pair("rename", "run", True),
}


# ---- what the two processes do ----


def run(dataset: Any, key: str = KEY) -> None:
    """Scores by embeddings."""
    import fiftyone_dfaulo as fd

    fd.compute_suspiciousness(
        dataset, embeddings="emb", brain_key=key, progress=False, overwrite=True
    )


def run_other(dataset: Any) -> None:
    """The same under another key."""
    run(dataset, OTHER)


def add_sample_field(dataset: Any) -> None:
    """What any other tool does: fields of its own, and values in them."""
    import fiftyone as fo

    for number in range(4):
        dataset.add_sample_field(f"theirs_{number}", fo.IntField)
        dataset.set_values(f"theirs_{number}", [number] * SAMPLES)


def clone(dataset: Any) -> None:
    """FiftyOne's clone."""
    dataset.clone(f"{dataset.name}-clone")


def delete(dataset: Any) -> None:
    """FiftyOne's delete."""
    dataset.delete_brain_run(KEY)


def rename(dataset: Any) -> None:
    """FiftyOne's rename."""
    dataset.rename_brain_run(KEY, "renamed")


def learn(dataset: Any) -> None:
    """Learns from the verdicts."""
    import fiftyone_dfaulo as fd

    fd.update_suspiciousness(dataset, KEY)


def record(dataset: Any) -> None:
    """Records verdicts, in several calls."""
    import fiftyone_dfaulo as fd

    for one in dataset.values("id")[::3]:
        fd.record_verdicts(dataset, KEY, faulty=[one], by="harness")


def correct(dataset: Any) -> None:
    """Corrects labels."""
    import fiftyone_dfaulo as fd

    for one in dataset.values("id")[:4]:
        fd.apply_suggestions(dataset, KEY, ids=[one])


DEEDS: dict[str, Callable[[Any], None]] = {
    function.__name__: function
    for function in (
        run,
        run_other,
        add_sample_field,
        clone,
        delete,
        rename,
        learn,
        record,
        correct,
    )
}

FIFTYONES = ("add_sample_field", "clone", "delete", "rename")
"""Deeds that are functions of FiftyOne's, whose errors are its own.

It raises some of a run that another process has replaced since it loaded the dataset.
"""


def work(tasks: Any, answers: Any, gate: Any) -> None:
    """A process of its own: does what it is told, when the other is ready too."""
    import fiftyone as fo

    from fiftyone_dfaulo.errors import DFauLoError

    for name, deed, delay in iter(tasks.get, None):
        dataset = fo.load_dataset(name)
        gate.wait()
        time.sleep(delay)
        try:
            DEEDS[deed](dataset)
            answers.put((deed, "done", ""))
        except DFauLoError as error:
            answers.put((deed, "refused", str(error)))
        except Exception:  # noqa: BLE001
            how = "refused" if deed in FIFTYONES else "foreign"
            answers.put((deed, how, traceback.format_exc(limit=-6)))
        del dataset


# ---- what is looked at afterwards ----


def make_dataset() -> Any:
    """24 samples of two classes with embeddings; three labels are wrong."""
    import fiftyone as fo
    import numpy as np

    rng = np.random.default_rng(51)
    dataset = fo.Dataset()
    dataset.persistent = True
    samples = []
    for number in range(SAMPLES):
        truth = number % 2
        label = "ab"[1 - truth if number in (0, 5, 10) else truth]
        vector = rng.normal(size=4) + 4 * truth
        samples.append(
            fo.Sample(
                filepath=f"/nowhere/{number}.png",
                ground_truth=fo.Classification(label=label),
                emb=vector.tolist(),
            )
        )
    dataset.add_samples(samples, progress=False)
    return dataset


def problems_of(dataset: Any, answers: Sequence[tuple[str, str, str]]) -> list[str]:
    """What is unsound on a dataset that was loaded anew."""
    from fiftyone_dfaulo.adapter.storage.schema import TOKEN

    schema = dataset.get_field_schema()
    stored = {name for d in dataset._sample_collection.find() for name in d}
    private = ("_id", "_rand", "_media_type", "_dataset_id")
    found = [
        f"values of {name} are in no schema"
        for name in sorted(stored - set(schema) - set(private))
    ]
    tokens = set()
    for key in dataset.list_brain_runs():
        config = dataset.get_brain_info(key).config
        tokens.add(config.token)
        found += _problems_of_run(dataset, key, config, schema)
    for name, field in schema.items():
        token = (field.info or {}).get(TOKEN)
        if token is not None and token not in tokens:
            found.append(f"field {name} has no run")
    return found + _not_there(dataset, answers)


def _problems_of_run(dataset: Any, key: str, config: Any, schema: Any) -> list[str]:
    from fiftyone_dfaulo.adapter.storage.schema import TOKEN

    if not config.complete:
        return [f"run {key} is incomplete"]
    lacking = [
        name
        for name in config.run_fields
        if name not in schema or (schema[name].info or {}).get(TOKEN) != config.token
    ]
    if lacking:
        return [f"run {key} lacks {lacking}"]
    results = dataset.load_brain_results(key)
    scores = dict(zip(*dataset.values(["id", config.run_fields.suspiciousness])))
    if any(scores.get(one) is None for one in results.ids):
        return [f"run {key} lacks values"]
    return []


def _not_there(dataset: Any, answers: Sequence[tuple[str, str, str]]) -> list[str]:
    """What reported success, but is not there."""
    done = [deed for deed, how, _ in answers if how == "done"]
    keys = set(dataset.list_brain_runs())
    found = []
    if "run_other" in done and OTHER not in keys:
        found.append(f"the run {OTHER} is not there")
    if "run" in done and not keys & {KEY, "renamed"}:
        found.append(f"the run {KEY} is not there")
    if "run" not in done and "delete" in done and KEY in keys:
        found.append("the deleted run is there")
    if "add_sample_field" in done:
        found += [
            f"theirs_{n} is not there"
            for n in range(4)
            if not dataset.has_sample_field(f"theirs_{n}")
        ]
    if "run" in [deed for deed, _, _ in answers] and not done:
        found.append("nobody succeeded")
    return found


def look(name: str, answers: Sequence[tuple[str, str, str]]) -> dict[str, list[str]]:
    """What is wrong with a dataset, by kind."""
    import fiftyone as fo

    found: dict[str, list[str]] = {}
    found["foreign"] = [text for _, how, text in answers if how == "foreign"]
    for one in filter(fo.dataset_exists, (name, f"{name}-clone")):
        deeds = answers if one == name else ()
        try:
            dataset = fo.load_dataset(one, reload=True)
            for sample in dataset.iter_samples():
                sample.to_dict()
        except Exception as error:  # noqa: BLE001
            found.setdefault("unreadable", []).append(f"{one}: {error}")
            continue
        wrong = [] if one != name else problems_of(dataset, deeds)
        found.setdefault("unsound", []).extend(wrong)
        try:
            locked = locked_out(dataset)
        except Exception as error:  # noqa: BLE001
            locked = [f"{type(error).__name__}: {error}"]
        found.setdefault("locked out", []).extend(locked)
    return {kind: what for kind, what in found.items() if what}


def locked_out(dataset: Any) -> list[str]:
    """Makes and deletes a run under the key, and looks at what is left of it."""
    import fiftyone_dfaulo as fd

    for key in {KEY, "renamed"} & set(dataset.list_brain_runs()):
        if dataset.get_brain_info(key).config.review_fields is not None:
            fd.revert_suggestions(dataset, key)
    run(dataset)
    seen = set(dataset.values(f"{KEY}_verdict"))
    found = [] if seen == {None} else [f"a new run shows verdicts {seen}"]
    for key in dataset.list_brain_runs():
        dataset.delete_brain_run(key)
    dataset.reload()
    left = [d for d in dataset._sample_collection.find() if any(map(_ours, d))]
    fields = [*filter(_ours, dataset.get_field_schema())]
    if left or fields:
        names = {*fields, *(name for d in left for name in d if _ours(name))}
        found.append(f"deleting leaves {sorted(names)}")
    return found


def _ours(name: str) -> bool:
    return name.startswith((f"{KEY}_", f"{OTHER}_", "renamed_"))


# ---- trials ----


class Workers:
    """Two processes that have imported everything and wait for work."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers = context.Queue()
        self._gate = context.Barrier(2)
        self._tasks = [context.Queue() for _ in range(2)]
        self._processes = [
            context.Process(
                target=work, args=(tasks, self._answers, self._gate), daemon=True
            )
            for tasks in self._tasks
        ]
        for process in self._processes:
            process.start()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for tasks in self._tasks:
            tasks.put(None)
        for process in self._processes:
            process.join()

    def do(
        self, name: str, pair: Pair, delays: Sequence[float]
    ) -> list[tuple[str, str, str]]:
        """Lets both do their part; returns what each answers."""
        for tasks, deed, delay in zip(self._tasks, pair, delays):
            tasks.put((name, deed, delay))
        return [self._answers.get(timeout=300) for _ in range(2)]


def trial(workers: Workers, pair: Pair, rng: random.Random) -> dict[str, list[str]]:
    """One trial; returns what went wrong, by kind."""
    import fiftyone as fo

    dataset = make_dataset()
    if pair.prepared:
        run(dataset)
        verdicts = dict.fromkeys(dataset.values("id")[:2], "faulty")
        dataset.set_values("dfaulo_verdict", verdicts, key_field="id")
    late = rng.choice([(0.0, rng.uniform(0, LATEST)), (rng.uniform(0, LATEST), 0.0)])
    answers = workers.do(dataset.name, pair, late)
    found = look(dataset.name, answers)
    for name in (dataset.name, f"{dataset.name}-clone"):
        if fo.dataset_exists(name):
            try:
                fo.delete_dataset(name)
            except Exception as error:  # noqa: BLE001
                found.setdefault("unreadable", []).append(f"delete: {error}")
    return found


def measure(
    names: Sequence[str], trials: int, seed: int, verbose: bool = True
) -> dict[str, Counter[str]]:
    """Runs the trials of some pairs; returns pair to kind to count."""
    counts: dict[str, Counter[str]] = {}
    with Workers() as workers:
        for name in names:
            rng, count = random.Random(f"{seed} {name}"), Counter[str]()
            counts[name] = count
            for number in range(trials):
                found = trial(workers, PAIRS[name], rng)
                count.update(found.keys())
                for kind, what in found.items() if verbose else ():
                    print(f"{name} {number} {kind}: {what[0][-700:]}", flush=True)
            print(f"{name}: {trials} trials, {dict(count) or 'all well'}", flush=True)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=51)
    parser.add_argument("--quiet", action="store_true", help="print counts alone")
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=", ".join(PAIRS))
    options = parser.parse_args(arguments)
    if unknown := set(options.pairs) - set(PAIRS):
        parser.error(f"no such pair: {', '.join(sorted(unknown))}")
    os.environ["FIFTYONE_SHOW_PROGRESS_BARS"] = "false"
    names = options.pairs or list(PAIRS)
    counts = measure(names, options.trials, options.seed, not options.quiet)
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
