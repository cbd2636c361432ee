"""How the class of an object is corrected where a detector has judged it."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.storage.items import LABEL, Item
from fiftyone_dfaulo.adapter.targets.object_edits import ObjectLabelEdit


class BoxLabelEdit(ObjectLabelEdit):
    """Replaces the class alone. Boxes and existence are left to the person."""

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        if item[LABEL]["label"] != new:
            return None
        return (
            f"its label is {new!r} already; if its box is misplaced or one too many, "
            "edit the box by hand"
        )
