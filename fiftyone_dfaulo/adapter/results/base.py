"""The results of a run, and how they are stored.

:class:`DFauLoResults` holds what the results of every kind of label have in common; the
kinds are its subclasses, in the modules beside this one. FiftyOne stores the full path
of a class with the results and imports it by that, so neither these modules nor their
classes may ever move or change their names.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fiftyone.core.brain as fob
import fiftyone.core.utils as fou
import numpy as np

from fiftyone_dfaulo.adapter.host import Samples

if TYPE_CHECKING:
    from typing_extensions import Self

    from fiftyone_dfaulo.engine.feedback.estimate import FaultEstimate

_ID_LISTS = ("ids", "unlabeled", "vanished")


class DFauLoResults(fob.BrainResults):
    """The scores of a run, in the order of the items' ids.

    An item is a sample, a frame or an object. Objects are in the order of their
    samples' ids first.

    Attributes:
        ids: ids of the N scored items.
        classes: names of the K classes, sorted.
        suspiciousness: float64 (N,), in [0, 1]; higher is more likely a fault. These
            are the initial scores; what was learned from verdicts is in the field.
        confidence: float32 (N,), in [0, 1]; how likely the suggestion is right.
        reasons: bool (N, R); which of ``reason_names`` apply.
        reason_names: the R reasons in plain English.
        signals: float (N, S); one column a signal.
        signal_names: names of the S signals.
        unlabeled: ids of the items left out because they have no label.
        unreadable: id to reason of the items left out because their image, or their
            embedding, could not be read, or because their box holds nothing.
        vanished: ids of the items that were deleted while the run computed.
        near_duplicates: id of an item to that of its nearest near duplicate that has
            another label, for those that have one.
        notes: plain sentences to read with the result.
        seconds: name of a stage to the seconds that it took.
    """

    _arrays: tuple[str, ...] = ("suspiciousness", "confidence", "reasons", "signals")
    """Arrays with one row an item."""

    _plain: tuple[str, ...] = (
        "classes",
        "reason_names",
        "signal_names",
        "unreadable",
        "near_duplicates",
        "notes",
        "seconds",
    )
    """What is stored as it is."""

    def __init__(
        self,
        samples: Samples,
        config: fob.BrainMethodConfig,
        key: str,
        backend: fob.BrainMethod | None = None,
        *,
        ids: Sequence[str],
        classes: Sequence[str],
        suspiciousness: np.ndarray,
        confidence: np.ndarray,
        reasons: np.ndarray,
        reason_names: Sequence[str],
        signals: np.ndarray,
        signal_names: Sequence[str],
        unlabeled: Sequence[str] = (),
        unreadable: Mapping[str, str] | None = None,
        vanished: Sequence[str] = (),
        near_duplicates: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(samples, config, key, backend=backend)
        self.ids = list(ids)
        self.classes = list(classes)
        self.suspiciousness = suspiciousness
        self.confidence = confidence
        self.reasons = reasons
        self.reason_names = list(reason_names)
        self.signals = signals
        self.signal_names = list(signal_names)
        self.unlabeled = list(unlabeled)
        self.unreadable = dict(unreadable or {})
        self.vanished = list(vanished)
        self.near_duplicates = dict(near_duplicates or {})
        self.notes = list(notes)
        self.seconds = dict(seconds or {})

    # ---- what differs between the kinds of label ----

    @abstractmethod
    def label_texts(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the given labels, as strings."""

    @abstractmethod
    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the suggestions, as strings; None for none."""

    @abstractmethod
    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """What faults of one cause have in common: suggestion and label.

        Returns:
            int64 (N,), at least 0, equal where the suggestions are; and the same for
            the given labels. See :func:`.learning.learn`.
        """

    @abstractmethod
    def count_disagreements(
        self, some: np.ndarray, labels: np.ndarray, names: Sequence[str]
    ) -> Counter[tuple[str, ...]]:
        """How often suggestions disagree with labels, as they are now.

        Args:
            some: bool (N,), the items to count.
            labels: int (N,), numbers of their labels now, as of
                :attr:`.ComparedResults.texts` or higher; -1 for none.
            names: the texts that the numbers stand for.

        Returns:
            counts of the suggested class or change, with the given class before it
            where there is one.
        """

    def most_confused(self) -> tuple[str, str, int] | None:
        """The commonest disagreement: given class, suggested class, and how often.

        None where no label disagrees, or labels are not confused in pairs.
        """
        return None

    def drop_vanished(self, present: Collection[str]) -> None:
        """Moves the items that no longer exist to ``vanished``.

        Args:
            present: ids of the items that still exist.
        """
        keep = np.fromiter((i in present for i in self.ids), bool, len(self.ids))
        if keep.all():
            return
        self.vanished += [i for i in self.ids if i not in present]
        self.ids = [i for i in self.ids if i in present]
        for name in self._arrays:
            setattr(self, name, getattr(self, name)[keep])
        self.near_duplicates = {
            i: j
            for i, j in self.near_duplicates.items()
            if i in present and j in present
        }

    def estimate(self) -> FaultEstimate:
        """How many of the N items are faults, with an interval, before any verdict."""
        from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults

        unchecked = np.full(len(self.ids), -1, np.int8)
        return estimate_faults(self.suspiciousness, unchecked)

    def estimate_by_kind(self) -> dict[str, int]:
        """How many faults of each kind there probably are; most runs don't say."""
        return {}

    def keep_part(self, present: Collection[str], documents: Collection[str]) -> None:
        """Keeps what is said of a part of the dataset: a view that was cloned.

        Args:
            present: ids of the items of the part.
            documents: ids of its samples, or frames.
        """
        vanished = [*self.vanished]
        self.drop_vanished(present)
        self.vanished = vanished
        self.unlabeled = [i for i in self.unlabeled if i in present]
        self.unreadable = {i: w for i, w in self.unreadable.items() if i in present}

    def near_duplicate_ids(self, ids: Sequence[str] | None = None) -> list[str]:
        """Ids of near duplicates with different labels, those of a picture together.

        Where the items are samples, ``dataset.select(ids, ordered=True)`` shows them.

        Args:
            ids: some items; their near duplicates come in the order of these. None
                takes all, the most suspicious first.
        """
        beside: dict[str, set[str]] = {}
        for one, other in self.near_duplicates.items():
            beside.setdefault(one, set()).add(other)
            beside.setdefault(other, set()).add(one)
        if ids is None:
            ids = [self.ids[row] for row in np.argsort(-self.suspiciousness)]
        found: dict[str, None] = {}
        for first in ids:
            group = [first] if first in beside else []
            while group:
                one = group.pop()
                if one not in found:
                    found[one] = None
                    group += sorted(beside[one])
        return list(found)

    def summary(self) -> dict[str, Any]:
        """What to tell a user: counts, the most confused pair of classes, notes.

        Returns:
            a JSON-serializable dict with the keys ``scored``, ``unlabeled``,
            ``unreadable``, ``vanished`` (numbers of items), ``estimated_faults``,
            ``faults_low`` and ``faults_high`` (a number and its 90 % interval, see
            :meth:`estimate`), ``most_confused`` (see :meth:`most_confused`) and
            ``notes``.
        """
        estimate = self.estimate()
        return {
            "scored": len(self.ids),
            "unlabeled": len(self.unlabeled),
            "unreadable": len(self.unreadable),
            "vanished": len(self.vanished),
            "estimated_faults": round(estimate.count),
            "faults_low": round(estimate.low),
            "faults_high": round(estimate.high),
            "most_confused": self.most_confused(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        facts = self.summary()
        lines = [
            f"{facts['scored']} {self.config.target.noun}s scored, about "
            f"{facts['estimated_faults']} of them probably faults "
            f"({facts['faults_low']} to {facts['faults_high']}; brain run {self.key!r})"
        ]
        for name, why in (
            ("unlabeled", "have no label"),
            ("unreadable", "could not be read"),
            ("vanished", "were deleted meanwhile"),
        ):
            if facts[name]:
                lines.append(f"left out: {facts[name]} that {why}")
        if facts["most_confused"]:
            given, suggested, count = facts["most_confused"]
            lines.append(f"most confused: {given} that look like {suggested} ({count})")
        return "\n".join([*lines, *facts["notes"]])

    __repr__ = __str__

    def serialize(self, reflective: bool = False) -> dict[str, Any]:
        """These results as JSON, the arrays compressed."""
        data: dict[str, Any] = {"cls": self.cls}
        for name in self._arrays:
            data[name] = fou.serialize_numpy_array(getattr(self, name), ascii=True)
        for name in _ID_LISTS:
            data[name] = _pack_ids(getattr(self, name))
        data.update({name: getattr(self, name) for name in self._plain})
        return data

    @classmethod
    def _from_dict(
        cls,
        d: dict[str, Any],
        samples: Samples,
        config: fob.BrainMethodConfig,
        key: str,
    ) -> Self:
        values = {name: d[name] for name in cls._plain if name in d}  # some are newer
        for name in cls._arrays:
            values[name] = fou.deserialize_numpy_array(d[name], ascii=True)
        for name in _ID_LISTS:
            values[name] = _unpack_ids(d[name])
        return cls(samples, config, key, **values)


def _pack_ids(ids: Sequence[str]) -> str:
    """Object ids as 12 bytes each; as text they would be most of the results."""
    data = np.frombuffer(bytes.fromhex("".join(ids)), np.uint8)
    return str(fou.serialize_numpy_array(data, ascii=True))


def _unpack_ids(packed: str) -> list[str]:
    text = fou.deserialize_numpy_array(packed, ascii=True).tobytes().hex()
    return [text[start : start + 24] for start in range(0, len(text), 24)]
