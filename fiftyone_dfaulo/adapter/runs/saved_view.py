"""What a run leaves in the App: a saved view, its samples most suspicious first.

The view is the run's as long as it is what the run has written: who gives it another
name, description or content has made it a view of their own, which stays. What the App
shows on the tiles at first is added to, and never taken from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

import fiftyone.core.odm as foo
import fiftyone.core.utils as fou
from bson import ObjectId, json_util
from fiftyone import ViewField

from fiftyone_dfaulo.adapter.host import Dataset, Documents
from fiftyone_dfaulo.adapter.runs.colors import color_fields, colored_scores
from fiftyone_dfaulo.adapter.storage.refresh import dataset_id
from fiftyone_dfaulo.adapter.storage.schema import is_part

_SCORE = "_suspiciousness"
_PARTS = (_SCORE, "_suggestion", "_verdict")
_NAME = "Most suspicious ({})"
_MAKER = "Made by the DFauLo run "
_DESCRIPTION = _MAKER + "{!r}, and renamed and deleted with it"


def find_view(dataset: Dataset, fields: Sequence[str]) -> str | None:
    """The name of a run's saved view; None if it has none, or a person changed it.

    Args:
        dataset: the dataset.
        fields: paths of the run's fields.
    """
    found = _find(dataset, fields)
    return None if found is None else str(found.name)


def offer(
    dataset: Dataset, key: str, fields: Sequence[str], scores: Iterable[float]
) -> None:
    """Has the App offer a run: by a saved view, and on the tiles.

    Args:
        dataset: the dataset.
        key: of the run.
        fields: paths of the run's fields.
        scores: what the run has written as suspiciousness.
    """
    add_view(dataset, key, fields)
    show_fields(dataset, fields)
    color_fields(dataset, added=fields, scores=scores)


def withdraw(dataset: Dataset, fields: Sequence[str]) -> None:
    """Takes the view and the colours of a run away."""
    color_fields(dataset, dropped=fields)
    drop_strays(dataset)
    view = _find(dataset, fields)
    if view is not None:
        _change_list(dataset, "$pull", view.id)
        view.delete()


def follow(
    dataset: Dataset, fields: Sequence[str], new_key: str, new_fields: Sequence[str]
) -> None:
    """Gives what a run has of view and colours the names of its new key."""
    scores = colored_scores(dataset, fields)
    if scores:
        color_fields(dataset, added=new_fields, dropped=fields, scores=scores)
    drop_strays(dataset)
    view, score = _find(dataset, fields), _score_of(new_fields)
    if view is not None and score is not None:
        _describe(dataset, view, new_key, score)
        view.save()


def add_view(dataset: Dataset, key: str, fields: Sequence[str]) -> None:
    """Saves the view of a run, under a name that is free."""
    score = _score_of(fields)
    if score is None:
        return
    drop_strays(dataset)
    view = foo.SavedViewDocument(dataset_id=dataset_id(dataset), created_at=_now())
    _describe(dataset, view, key, score)
    view.save(upsert=True)
    _change_list(dataset, "$push", view.id)


def stray_views(dataset: Dataset) -> list[ObjectId]:
    """Views of runs that the dataset does not list: a process died in between."""
    database = foo.get_db_conn()
    own = {"_dataset_id": dataset_id(dataset), "description": {"$regex": f"^{_MAKER}"}}
    there = database.views.distinct("_id", own)
    document = database.datasets.find_one({"_id": dataset_id(dataset)}) or {}
    return sorted({*there}.difference(document.get("saved_views", ())))


def drop_strays(dataset: Dataset) -> None:
    """Deletes these."""
    foo.get_db_conn().views.delete_many({"_id": {"$in": stray_views(dataset)}})


def _describe(
    dataset: Dataset, view: foo.SavedViewDocument, key: str, score: str
) -> None:
    """Makes it the view of the run that has the key, sorted by this score."""
    view.name = _free_name(dataset, key, view)
    view.slug = fou.to_slug(view.name)
    view.description = _DESCRIPTION.format(key)
    view.view_stages = _stages(dataset, score)
    view.last_modified_at = _now()


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def show_fields(dataset: Dataset, fields: Sequence[str]) -> None:
    """Has the App show what a run says on the tiles, where nobody chose otherwise."""
    settings = dataset.app_config
    chosen = settings.active_fields
    if chosen is None:
        chosen = settings.default_active_fields(dataset)
    elif _score_of(chosen.paths) is None:
        return  # a person's own choice
    ours = [path for path in fields if "." not in path and path.endswith(_PARTS)]
    paths = list(dict.fromkeys([*chosen.paths, *ours]))
    settings.active_fields = foo.ActiveFields(exclude=chosen.exclude, paths=paths)
    dataset._doc.save()


def hide_fields(dataset: Dataset) -> None:
    """Forgets the choice once no run has a part in it, and it is the usual one."""
    settings = dataset.app_config
    chosen = settings.active_fields
    usual = settings.default_active_fields(dataset).paths
    own = {path for path in usual if not is_part(path)}
    if chosen is not None and {*chosen.paths} == own:
        settings.active_fields = None
        dataset._doc.save()


def _score_of(fields: Sequence[str]) -> str | None:
    """The samples' score among a run's fields."""
    return next(_scores(fields), None)


def _scores(fields: Sequence[str]) -> Iterator[str]:
    """The samples' scores: two while the run is being renamed."""
    return (name for name in fields if "." not in name and name.endswith(_SCORE))


def _stages(dataset: Dataset, score: str) -> list[str]:
    view = dataset.match(ViewField(score) >= 0).sort_by(
        score, reverse=True, create_index=False
    )
    return [json_util.dumps(one) for one in view._serialize(include_uuids=False)]


def _find(dataset: Dataset, fields: Sequence[str]) -> foo.SavedViewDocument | None:
    dataset._doc.reload("saved_views")
    for view in dataset._doc.get_saved_views():
        if any(_is_of(dataset, view, score) for score in _scores(fields)):
            return view
    return None


def _is_of(dataset: Dataset, view: foo.SavedViewDocument, score: str) -> bool:
    """Whether a view is still what a run with this score has made."""
    key = score.removesuffix(_SCORE)
    named = view.name.startswith(_NAME.format(key))
    if not named or view.description != _DESCRIPTION.format(key):
        return False
    now, made = view.view_stages, _stages(dataset, score)
    return [*map(json.loads, now)] == [*map(json.loads, made)]


def _free_name(dataset: Dataset, key: str, but: foo.SavedViewDocument) -> str:
    dataset._doc.reload("saved_views")
    others = (one for one in dataset._doc.get_saved_views() if one.id != but.id)
    taken = {one.slug for one in others}
    name, number = _NAME.format(key), 1
    while fou.to_slug(name) in taken:
        number += 1
        name = f"{_NAME.format(key)} {number}"
    return name


def _change_list(dataset: Dataset, how: str, one: ObjectId) -> None:
    """Adds to the dataset's list of views, or takes out of it, and nothing else."""
    datasets: Documents = foo.get_db_conn().datasets
    datasets.update_one({"_id": dataset_id(dataset)}, {how: {"saved_views": one}})
    dataset._doc.reload("saved_views")
