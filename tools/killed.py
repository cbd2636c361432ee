"""Kills the process that writes, or the database, at any moment, and counts the loss.

    python tools/killed.py [--trials N] [--victim process|database] [DEED[:VICTIM] ...]

Each trial makes a small dataset, starts what the deed names in a process of its own,
ends that process or the database (SIGKILL) at a random moment, starts the database
anew, does the same deed again as a user would, and looks at what is there:

``unreadable``  the dataset or a sample of it cannot be loaded
``lost``        a label, a verdict or a correction that was reported as written, or
                anything else of the user's is not as it was
``left``        something stays: fields, values, a copy, a folder, a piece of a file
``locked out``  the deed, or another run under the key, cannot be done any more
``foreign``     a function of ours raised what is no DFauLoError

The exit status is 1 if any of these is not 0. The database and all files are in a
folder that is thrown away.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import two_at_once
from isolated import settings
from mongod import candidates, start

KEY, RENAMED = two_at_once.KEY, "renamed"
VICTIMS = ("process", "database")
PATIENCE = 300.0
"""Seconds that a deed may take on a busy machine, with a database that comes back."""


PRELOADED = [
    "__main__",
    "fiftyone.brain",
    "fiftyone_dfaulo.adapter.scoring.compute",
    "fiftyone_dfaulo.adapter.exports.gallery",
    "fiftyone_dfaulo.adapter.injection.quality",
]


class Told:
    """What a process has said before it died: one line for each thing done."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def say(self, text: str) -> None:
        """Keeps a line, whatever happens to this process."""
        with self._file.open("ab") as output:
            output.write(f"{text}\n".encode())

    def lines(self) -> list[str]:
        """What was said."""
        return self._file.read_text().split() if self._file.exists() else []


# ---- what is done ----


def run(dataset: Any, told: Told) -> None:
    """Scores by embeddings, in place of the run that is there."""
    two_at_once.run(dataset)


def learn(dataset: Any, told: Told) -> None:
    """Learns from the verdicts."""
    two_at_once.learn(dataset)


def record(dataset: Any, told: Told) -> None:
    """Records verdicts, one by one."""
    import fiftyone_dfaulo as fd

    for one in dataset.values("id")[2:]:
        fd.record_verdicts(dataset, KEY, faulty=[one])
        told.say(one)


def correct(dataset: Any, told: Told) -> None:
    """Corrects labels, one by one."""
    import fiftyone_dfaulo as fd

    for one in dataset.values("id"):
        if fd.apply_suggestions(dataset, KEY, ids=[one]).applied:
            told.say(one)


def revert(dataset: Any, told: Told) -> None:
    """Takes the corrections back, all at once."""
    import fiftyone_dfaulo as fd

    fd.revert_suggestions(dataset, KEY)


def tag(dataset: Any, told: Told) -> None:
    """Tags, and saves a view."""
    import fiftyone_dfaulo as fd

    fd.tag_suspicious(dataset, KEY, top=12, save_view="to do")


def delete(dataset: Any, told: Told) -> None:
    """FiftyOne's delete."""
    if KEY in dataset.list_brain_runs():
        dataset.delete_brain_run(KEY)


def rename(dataset: Any, told: Told) -> None:
    """FiftyOne's rename."""
    import fiftyone_dfaulo as fd

    if KEY in dataset.list_brain_runs():
        dataset.rename_brain_run(KEY, RENAMED)
    else:  # FiftyOne changes the key even where the fields could not be renamed
        fd.repair(dataset)


def inject(dataset: Any, told: Told) -> None:
    """Plants faults in a copy, with images of its own."""
    import fiftyone_dfaulo as fd

    fd.inject_faults(dataset, kind="corrupt", rate=0.3)


def inject_in_place(dataset: Any, told: Told) -> None:
    """Plants faults in the dataset itself, if there are none."""
    import fiftyone_dfaulo as fd

    if not dataset.has_sample_field("injected_fault"):
        fd.inject_faults(dataset, kind="mixture", rate=0.3, in_place=True)


def revert_faults(dataset: Any, told: Told) -> None:
    """Takes planted faults back."""
    import fiftyone_dfaulo as fd

    if dataset.has_sample_field("injected_fault"):
        fd.revert_faults(dataset)


def quality(dataset: Any, told: Told) -> None:
    """Estimates on a copy how well faults would be found."""
    import fiftyone_dfaulo as fd

    fd.estimate_quality(dataset, embeddings="emb", rate=0.3, progress=False)


def repair(dataset: Any, told: Told) -> None:
    """Repairs what needs no repair."""
    import fiftyone_dfaulo as fd

    fd.repair(dataset)


def export(dataset: Any, told: Told) -> None:
    """Exports into a file, in place of the one that is there."""
    import fiftyone_dfaulo as fd

    fd.export_review(dataset, _file(dataset, "json"), KEY, overwrite=True)


def gallery(dataset: Any, told: Told) -> None:
    """Saves a gallery, in place of the one that is there."""
    import fiftyone_dfaulo as fd

    fd.save_gallery(dataset, KEY, path=_file(dataset, "png"), overwrite=True)


def _file(dataset: Any, ending: str) -> str:
    return str(Path(os.environ["KILLED_FILES"]) / f"{dataset.name}.{ending}")


class Deed(NamedTuple):
    """What is done, and what is there before."""

    do: Callable[[Any, Told], None]
    before: Sequence[Callable[[Any, Told], None]] = (run,)
    ours: bool = True


DEEDS = {
    deed.do.__name__: deed
    for deed in (
        Deed(run),
        Deed(learn),
        Deed(record),
        Deed(correct),
        Deed(revert, (run, correct)),
        Deed(tag),
        Deed(delete, ours=False),
        Deed(rename, ours=False),
        Deed(inject),
        Deed(inject_in_place, ()),
        Deed(revert_faults, (inject_in_place,)),
        Deed(quality),
        Deed(repair),
        Deed(export, (run, export)),
        Deed(gallery, (run, gallery)),
    )
}


def work(line: Any, name: str, deed: str, told: Told) -> None:
    """A process of its own: does the deed when it is told to."""
    import fiftyone as fo

    from fiftyone_dfaulo.errors import DFauLoError

    dataset = fo.load_dataset(name)
    line.send("ready")
    line.recv()
    try:
        DEEDS[deed].do(dataset, told)
        line.send(("done", ""))
    except DFauLoError as error:
        line.send(("refused", str(error)))
    except Exception:  # noqa: BLE001
        how = "foreign" if DEEDS[deed].ours else "refused"
        line.send((how, traceback.format_exc(limit=-6)))


# ---- what is looked at ----


def make_dataset(images: Sequence[str]) -> Any:
    """The dataset of :mod:`two_at_once`, with images."""
    dataset = two_at_once.make_dataset()
    dataset.set_values("filepath", list(images))
    return dataset


def state(dataset: Any) -> list[dict[str, Any]]:
    """What is the user's, as the database holds it."""
    names = ("_id", "filepath", "ground_truth", "emb", "tags")
    found = dataset._sample_collection.find({}, dict.fromkeys(names, 1))
    return list(found.sort("_id", 1))


def views_astray(dataset: Any) -> list[str]:
    """Saved views that are listed and gone, or there and not listed."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    own = {"_dataset_id": dataset._doc.id}
    there = {one["_id"] for one in database.views.find(own)}
    document = database.datasets.find_one({"_id": dataset._doc.id})
    return sorted(map(str, there.symmetric_difference(document["saved_views"])))


class Scene:
    """One trial's dataset: what is there before, and what is found after.

    Args:
        deed: the name of what is done.
        images: the paths of the images.
        folder: an empty folder, for what processes say.
    """

    def __init__(self, deed: str, images: Sequence[str], folder: Path) -> None:
        self.deed, self.found = DEEDS[deed], dict[str, list[str]]()
        self.dataset = make_dataset(images)
        self.name, self.before = self.dataset.name, state(self.dataset)
        self.fields = set(self.dataset.get_field_schema())
        self.told = Told(folder / f"{self.name}.told")
        for prepare in self.deed.before:
            prepare(self.dataset, Told(folder / f"{self.name}.before"))
        if run in self.deed.before:
            verdicts = dict.fromkeys(self.dataset.values("id")[:2], "faulty")
            self.dataset.set_values("dfaulo_verdict", verdicts, key_field="id")
        # what FiftyOne writes reaches the disk a little later
        self.dataset._sample_collection.database.client.admin.command("fsync")

    def say(self, kind: str, text: str) -> None:
        """Notes what is wrong."""
        self.found.setdefault(kind, []).append(text)

    def look(self) -> None:
        """Looks at it as the next person who comes by."""
        import fiftyone as fo

        try:
            self.dataset = fo.load_dataset(self.name, reload=True)
            for sample in self.dataset.iter_samples():
                sample.to_dict()
        except Exception as error:  # noqa: BLE001
            self.say("unreadable", f"{type(error).__name__}: {error}")
            return
        self._look_at_what_was_told()
        try:
            self.deed.do(self.dataset, Told(Path(os.devnull)))
        except Exception:  # noqa: BLE001
            self.say("locked out", traceback.format_exc(limit=-6))
        self._look_at_what_was_told()
        self._look_at_copies()
        self._bring_back()
        self._look_at_what_is_left()

    def _look_at_what_was_told(self) -> None:
        lines = set(self.told.lines())
        if self.deed.do is record:
            verdicts = dict(zip(*self.dataset.values(["id", "dfaulo_verdict"])))
            lines = {one for one in lines if verdicts[one] != "faulty"}
        elif self.deed.do is correct:
            labels = zip(*self.dataset.values(["id", "ground_truth.label"]))
            given = {str(d["_id"]): d["ground_truth"]["label"] for d in self.before}
            lines &= {one for one, label in labels if label == given[one]}
        if lines:
            self.say("lost", f"{self.deed.do.__name__} of {sorted(lines)}")

    def _look_at_copies(self) -> None:
        import fiftyone as fo

        from fiftyone_dfaulo.adapter.injection.undo import discard

        for name in fo.list_datasets():
            if name == self.name:
                continue
            copy = fo.load_dataset(name)
            # not len(): a database that was killed miscounts
            marked = copy.has_sample_field("injected_fault")
            faults = copy.count_values("injected_fault") if marked else {}
            whole = sum(faults.values()) == len(self.before)
            if not name.startswith(f"{self.name}-injected") or not whole:
                self.say("left", f"the copy {name} with {faults}")
            discard(copy)

    def _bring_back(self) -> None:
        """Undoes all that can be undone, as the user would."""
        import fiftyone_dfaulo as fd

        try:
            for key in {KEY, RENAMED} & set(self.dataset.list_brain_runs()):
                if self.dataset.get_brain_info(key).config.review_fields is not None:
                    fd.revert_suggestions(self.dataset, key)
            if self.dataset.has_sample_field("injected_fault"):
                fd.revert_faults(self.dataset)
            self.dataset.untag_samples("relabel")
        except Exception:  # noqa: BLE001
            self.say("locked out", traceback.format_exc(limit=-6))
        if state(self.dataset) != self.before:
            self.say("lost", "the user's own values are not what they were")

    def _look_at_what_is_left(self) -> None:
        import fiftyone as fo

        root = Path(fo.config.default_dataset_dir)
        for one in root.glob("*") if root.is_dir() else ():
            self.say("left", f"{one}")
        files = Path(os.environ["KILLED_FILES"])
        for one in files.iterdir():
            if one.name not in (f"{self.name}.json", f"{self.name}.png"):
                self.say("left", f"the file {one.name}")
            one.unlink()
        try:
            for what in two_at_once.locked_out(self.dataset):
                self.say("left", what)
        except Exception:  # noqa: BLE001
            self.say("locked out", traceback.format_exc(limit=-6))
        self.dataset.reload()
        for name in set(self.dataset.get_field_schema()) - self.fields:
            self.say("left", f"the field {name}")
        if astray := views_astray(self.dataset):
            self.say("left", f"saved views {astray}")

    def close(self) -> None:
        """Deletes it."""
        import fiftyone as fo

        fo.delete_dataset(self.name)


# ---- trials ----


class Harness:
    """A database that can be killed, and processes that do deeds.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("images", "files", "told"):
            (folder / name).mkdir()
        self._mongod = next(path for path in candidates() if path.is_file())
        self._data = folder / "database"
        self._data.mkdir()
        self.database, uri = start(self._mongod, self._data)
        self._port = int(uri.rpartition(":")[2])
        os.environ.update(settings(folder, uri))
        os.environ.pop("FIFTYONE_PRIVATE_DATABASE_PORT", None)
        os.environ["FIFTYONE_SHOW_PROGRESS_BARS"] = "false"
        os.environ["KILLED_FILES"] = str(folder / "files")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self.images = self._make_images()

    def _make_images(self) -> list[str]:
        import numpy as np
        from PIL import Image

        rng, paths = np.random.default_rng(51), []
        for number in range(two_at_once.SAMPLES):
            path = self.folder / "images" / f"{number}.png"
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(path)
            paths.append(str(path))
        return paths

    def close(self) -> None:
        """Ends the database."""
        self.database.kill()
        self.database.wait()

    def revive(self) -> None:
        """Starts the database anew, at its old address."""
        self.database.wait()
        self.database, _ = start(self._mongod, self._data, self._port)

    def begin(self, scene: Scene) -> tuple[Any, Any]:
        """Has a process begin the deed; returns the process and the line to it."""
        line, other = self._context.Pipe()
        name = scene.deed.do.__name__
        process = self._context.Process(
            target=work, args=(other, scene.name, name, scene.told), daemon=True
        )
        process.start()
        other.close()
        assert line.poll(PATIENCE), f"{name} does not start"
        line.recv()
        line.send("go")
        return process, line

    def seconds(self, deed: str) -> float:
        """How long a deed takes if nobody is killed."""
        scene = self._scene(deed)
        process, line = self.begin(scene)
        start = time.perf_counter()
        answer = line.recv() if line.poll(PATIENCE) else ("foreign", "no answer")
        spent = time.perf_counter() - start
        process.join()
        scene.look()
        scene.close()
        if answer[0] != "done" or scene.found:
            raise RuntimeError(f"{deed}, nobody killed: {answer} {scene.found}")
        return spent

    def trial(self, deed: str, victim: str, moment: float) -> dict[str, list[str]]:
        """Kills after some seconds; returns what went wrong, by kind."""
        scene = self._scene(deed)
        process, line = self.begin(scene)
        time.sleep(moment)
        if victim == "process":
            process.kill()
        else:
            self.database.send_signal(signal.SIGKILL)
            self.revive()
            how, text = ("foreign", "it hangs")
            try:
                if line.poll(PATIENCE):
                    how, text = line.recv()
            except EOFError:
                text = "it died"
            if how == "foreign":
                scene.say(how, text)
            process.kill()
        process.join()
        _await_database()
        scene.look()
        scene.close()
        return scene.found

    def _scene(self, deed: str) -> Scene:
        return Scene(deed, self.images, self.folder / "told")


def _await_database() -> None:
    """Waits until this process's connections are good again."""
    import fiftyone.core.odm as foo
    from pymongo.errors import ConnectionFailure

    end = time.monotonic() + PATIENCE
    while True:
        try:
            foo.get_db_conn().command("ping")
            return
        except ConnectionFailure:
            if time.monotonic() > end:
                raise


def measure(
    wanted: Mapping[str, Sequence[str]], trials: int, seed: int
) -> Counter[str]:
    """Runs the trials of each deed with each of its victims; returns kind to count."""
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="dfaulo-killed-") as folder:
        harness = Harness(Path(folder))
        try:
            for deed, victims in wanted.items():
                longest = harness.seconds(deed)
                for victim in victims:
                    rng, count = (
                        random.Random(f"{seed} {deed} {victim}"),
                        Counter[str](),
                    )
                    for number in range(trials):
                        moment = rng.uniform(0, longest)
                        found = harness.trial(deed, victim, moment)
                        count.update(found.keys())
                        for kind, what in found.items():
                            where = f"{deed}, {victim} {number} at {moment:.3f} s"
                            print(f"{where}: {kind}: {what[0][-900:]}", flush=True)
                    well = dict(count) or "all well"
                    print(f"{deed}, {victim} killed {trials} times: {well}", flush=True)
                    total += count
        finally:
            harness.close()
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=17, help="of each pair")
    parser.add_argument("--seed", type=int, default=51)
    parser.add_argument("--victim", choices=VICTIMS, action="append")
    parser.add_argument("deeds", nargs="*", metavar="DEED", help=", ".join(DEEDS))
    options = parser.parse_args(arguments)
    wanted: dict[str, list[str]] = {}
    for word in options.deeds or DEEDS:
        deed, _, victim = word.partition(":")
        victims = [victim] if victim else options.victim or VICTIMS
        if deed not in DEEDS or not set(victims) <= set(VICTIMS):
            parser.error(f"no such deed or victim: {word}")
        wanted.setdefault(deed, []).extend(victims)
    return 1 if measure(wanted, options.trials, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
