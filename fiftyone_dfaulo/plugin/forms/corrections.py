"""The form that corrects labels: what will change, in groups, each with its class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.corrections.plan import (
    Pair,
    Wish,
    known_classes,
    new_classes,
    takes_one_class,
)
from fiftyone_dfaulo.adapter.corrections.preview import CorrectionGroup, preview
from fiftyone_dfaulo.adapter.review.items import count_with_verdict
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.app.selection import selected_ids
from fiftyone_dfaulo.plugin.forms.fields import radio_group
from fiftyone_dfaulo.plugin.forms.problems import mark_invalid
from fiftyone_dfaulo.plugin.host import Context, Inputs, JsonDict

LEAVE = "(leave)"
"""What a group's field says where its labels stay; no class has this name."""

LOOK = "@dfaulo/dfaulo/look_at_corrections"
_SHOWN = 30
_GIVEN = ("ids", "verdict", "label")


class _Choice(NamedTuple):
    """A group, as it is without any choice, and the class chosen for it, if any."""

    group: CorrectionGroup
    new: str | None

    @property
    def changes(self) -> bool:
        return self.new not in (None, self.group.given)


def read_wish(ctx: Context, review: ReviewSession) -> Wish:
    """What the form asks for, or what was given from Python."""
    wish = _read_base(ctx, review)
    chosen: dict[Pair, str | None] = {
        choice.group.pair: choice.new
        for choice in _read_choices(ctx, review, wish)
        if choice.new != choice.group.new
    }
    return wish._replace(classes=chosen) if chosen else wish


def _read_base(ctx: Context, review: ReviewSession) -> Wish:
    """The same, before a group was given another class."""
    params = ctx.params
    given = {n: params[n] for n in _GIVEN if params.get(n) is not None}
    if given:
        return Wish(**given).check()
    ids = _chosen_ids(ctx, review)
    one = ids is not None and params.get("set_to") == "class"
    return Wish(ids=ids, label=params.get("class") if one else None)


def _chosen_ids(ctx: Context, review: ReviewSession) -> list[str] | None:
    """Ids of the selection that the form was opened with; None for the faulty.

    The form's answer holds them: a look at the tiles of a group ends the selection.
    """
    which = ctx.params.get("which")
    if which is None:
        return selected_ids(ctx, review) or None
    return None if which == "faulty" else str(which).split(",")


def group_ids(ctx: Context, review: ReviewSession) -> list[str]:
    """Ids of the group whose button was pressed; none if there is none by now."""
    groups = preview(review, _read_base(ctx, review)).groups
    asked = ctx.params.get("group")
    return [one for group in groups if _key(group) == asked for one in group.ids]


def add_corrections(inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
    """Asks which samples, and shows what will become of each group."""
    if any(ctx.params.get(name) is not None for name in _GIVEN):
        return  # called from Python
    ids = _chosen_ids(ctx, review)
    faulty = count_with_verdict(review, "faulty")
    choices = {"faulty": f"All that are marked faulty ({faulty:,})"}
    selection = ids or selected_ids(ctx, review)
    if selection:
        chosen = {",".join(selection): f"The selection ({len(selection):,})"}
        choices = {**chosen, **choices}
    nouns = f"{review.target.noun}s".capitalize()
    radio_group(inputs, "which", choices, label=nouns)
    if ids is not None and takes_one_class(review):
        _add_one_class(inputs, ctx, review)
        if ctx.params.get("set_to") == "class" and not ctx.params.get("class"):
            return
    wish = _read_base(ctx, review)
    choices_made = list(_read_choices(ctx, review, wish))
    _add_summary(inputs, choices_made)
    named = [wish.label, *(c.new for c in choices_made if c.new != c.group.new)]
    _add_question(inputs, ctx, review, [one for one in named if one is not None])
    classes = known_classes(review) if takes_one_class(review) else []
    for choice in choices_made[:_SHOWN]:
        _add_group(inputs, ctx, review, choice, [] if wish.label else classes)
    hidden = choices_made[_SHOWN:]
    if hidden:
        count = sum(len(choice.group.ids) for choice in hidden)
        inputs.md(
            f"And {len(hidden):,} smaller groups, {count:,} {review.target.noun}s, "
            "as is suggested. To choose for them, select them in the grid first.",
            name="hidden",
        )


def _add_one_class(inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
    """Asks for the suggestions, or for one class for the whole selection."""
    labels = {"suggestion": "What each looks like", "class": "One class"}
    radio_group(inputs, "set_to", labels, label="New label")
    if ctx.params.get("set_to") == "class":
        view = _class_field(known_classes(review))
        inputs.str("class", required=True, label="Class", view=view)


def _class_field(classes: list[str]) -> types.AutocompleteView:
    view = types.AutocompleteView(allow_clearing=False)
    for name in classes:
        view.add_choice(name, label=name)
    return view


def _read_choices(ctx: Context, review: ReviewSession, wish: Wish) -> Iterator[_Choice]:
    """The groups, in an order that no choice changes, with the class of each."""
    for group in preview(review, wish).groups:
        answer = ctx.params.get(_key(group)) if group.open and not wish.label else None
        new = answer.get("to") if isinstance(answer, dict) else group.new
        yield _Choice(group, None if new == LEAVE else new)


def _key(group: CorrectionGroup) -> str:
    """The name of a group's field: any text may be in the names of classes."""
    text = repr((*group.pair, group.reason))
    return "group_" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _add_summary(inputs: Inputs, choices: list[_Choice]) -> None:
    """How many labels change, how many stay, and whether there is anything to do."""
    changed = sum(len(c.group.ids) for c in choices if c.changes)
    left = sum(len(c.group.ids) for c in choices) - changed
    labels = "1 label changes" if changed == 1 else f"{changed:,} labels change"
    stay = f", {left:,} {'stays' if left == 1 else 'stay'}" if left else ""
    view = types.Notice(
        label=labels + stay, description="'Undo corrections' brings the old ones back"
    )
    summary = inputs.view("summary", view)
    if not choices:
        problem = "Nothing is marked faulty, and nothing is selected: mark some first"
        mark_invalid(summary, problem)
    elif not changed:
        mark_invalid(summary, "Nothing would change; choose a class for a group")


def _add_question(
    inputs: Inputs, ctx: Context, review: ReviewSession, names: list[str]
) -> None:
    """Asks whether classes that do not exist yet are meant."""
    new = new_classes(review, dict.fromkeys(names))
    if not new:
        return
    shown = ", ".join(plain(repr(name)) for name in new)
    what = "a new class" if len(new) == 1 else "new classes"
    sure = inputs.bool("add_classes", default=False, label=f"Add {what}: {shown}")
    if not ctx.params.get("add_classes"):
        mark_invalid(sure, f"No label is {shown} yet; tick to add {what}")


def _add_group(
    inputs: Inputs,
    ctx: Context,
    review: ReviewSession,
    choice: _Choice,
    classes: list[str],
) -> None:
    """A group: what it is, the class that it gets if one can be chosen, and a look."""
    group, key = choice.group, _key(choice.group)
    names = " \N{RIGHTWARDS ARROW} ".join(dict.fromkeys(filter(None, group.pair)))
    text = f"{names}: {len(group.ids):,}"
    row = inputs.h_stack(key, gap=1, align_y="end", componentsProps=_ROW)
    stays = f"stays: {group.reason}" if not choice.changes and group.reason else ""
    if group.open and (classes or group.new):
        view = _class_field([LEAVE, *classes] if classes else [LEAVE, str(group.new)])
        row.str(
            "to",
            default=group.new or LEAVE,
            label=plain(text),
            description=plain(stays) or None,
            view=view,
        )
    else:
        row.md(f"{plain(text)}  \n{plain(stays)}", name="text")
    params: JsonDict = {
        "brain_key": review.key,
        **{n: ctx.params[n] for n in ("which", "set_to", "class") if n in ctx.params},
        "group": key,
    }
    row.view("look", types.Button(label="Look", operator=LOOK, params=params))


_ROW = {
    "grid": {
        "sx": {
            "display": "flex",
            "& > *:first-of-type": {"flex": "1 1 auto", "minWidth": 0},
        }
    }
}
"""The field takes the room that the button leaves."""
