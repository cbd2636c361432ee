"""Rows and buttons, of which the panel is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fiftyone_dfaulo.plugin.host import Context, Inputs

Handler = Callable[[Context], None]
"""An event of the panel."""


def add_row(out: Inputs, name: str) -> Inputs:
    """Side by side, and below each other where the panel is narrow."""
    # && outweighs the App's own width of 100 %
    style = {"display": "flex", "flexWrap": "wrap", "&& > *": {"width": "auto"}}
    wrapping = {"grid": {"sx": style}}
    return out.h_stack(name, gap=1, align_y="center", componentsProps=wrapping)


def add_button(
    out: Inputs,
    name: str,
    label: str,
    on_click: Handler,
    *,
    main: bool = False,
    narrow: bool = False,
    why_off: str = "",
    params: dict[str, Any] | None = None,
) -> None:
    """A button; one that is off says why, where the pointer rests on it."""
    # the App's own colour of outlined buttons is too pale in the light
    style: dict[str, str] = {} if main else {"color": "text.primary"}
    if narrow:  # as its text; else it is 64 pixels wide at least
        style |= {"minWidth": "0", "px": "6px"}
    out.btn(
        name,
        label,
        on_click=on_click,
        variant="contained" if main else "outlined",
        disabled=bool(why_off),
        title=why_off or None,
        params=params,
        componentsProps={"button": {"sx": style}},
    )
