"""Opens the App on what the demo found: the ranking, and the review beside it.

Args:
    the port of the App's server.
"""

from __future__ import annotations

import sys

import fiftyone as fo

NAME = "dfaulo-demo"
VIEW = "Most suspicious (dfaulo)"


def tab(kind: str, **how: bool) -> fo.Space:
    """A part of the App's window with one panel in it."""
    panel = fo.Panel(type=kind, **how)
    return fo.Space(children=[panel], active_child=panel.component_id)


def main(port: int) -> None:
    beside = [tab("Samples", pinned=True), tab("dfaulo_review")]
    layout = fo.Space(children=beside, orientation="horizontal")
    view = fo.load_dataset(NAME).load_saved_view(VIEW)
    fo.launch_app(view, port=port, spaces=layout).wait(-1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
