"""The results of a run, and how they are stored.

FiftyOne stores the full path of the class with the results and imports it by that, so
neither this module nor the class may ever move or change its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fiftyone.core.brain as fob
import fiftyone.core.utils as fou
import numpy as np

if TYPE_CHECKING:
    from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo, DFauLoConfig

_ARRAYS = (
    "labels",
    "suspiciousness",
    "suggestions",
    "confidence",
    "reasons",
    "signals",
)
_ID_LISTS = ("ids", "unlabeled", "vanished")
_PLAIN = (
    "classes",
    "reason_names",
    "signal_names",
    "unreadable",
    "near_duplicates",
    "estimated_faults",
    "notes",
    "seconds",
)


class DFauLoResults(fob.BrainResults):
    """The scores of a run, in the order of the samples' ids.

    Where a run has scored objects, read "object" for "sample" below; objects are in the
    order of their samples' ids first.

    Attributes:
        ids: ids of the N scored samples.
        labels: int64 (N,), index into ``classes`` of the given label.
        classes: names of the K classes, sorted.
        suspiciousness: float64 (N,), in [0, 1]; higher is more likely a fault. These
            are the initial scores; what was learned from verdicts is in the field.
        suggestions: int64 (N,), index into ``classes`` of the class that the mutants
            see.
        confidence: float32 (N,), in [0, 1]; the mutants' probability of the
            suggestion.
        reasons: bool (N, R); which of ``reason_names`` apply.
        reason_names: the R reasons in plain English.
        signals: float32 (N, S); one column a signal. With ``method="dfaulo"`` higher is
            more suspicious; the paper's features have no such direction.
        signal_names: names of the S signals.
        unlabeled: ids of the samples left out because they have no label.
        unreadable: id to reason of the samples left out because their image, or
            their embedding, could not be read, or because their box holds nothing.
        vanished: ids of the samples that were deleted while the run computed.
        near_duplicates: id of a sample to that of its nearest near duplicate that has
            another label, for those that have one.
        estimated_faults: how many of the N samples are probably faults.
        notes: plain sentences to read with the result.
        seconds: name of a stage to the seconds that it took.
    """

    _arrays: tuple[str, ...] = _ARRAYS

    def __init__(
        self,
        samples: Any,
        config: DFauLoConfig,
        key: str,
        backend: DFauLo | None = None,
        *,
        ids: Sequence[str],
        labels: np.ndarray,
        classes: Sequence[str],
        suspiciousness: np.ndarray,
        suggestions: np.ndarray,
        confidence: np.ndarray,
        reasons: np.ndarray,
        reason_names: Sequence[str],
        signals: np.ndarray,
        signal_names: Sequence[str],
        unlabeled: Sequence[str] = (),
        unreadable: Mapping[str, str] | None = None,
        vanished: Sequence[str] = (),
        near_duplicates: Mapping[str, str] | None = None,
        estimated_faults: int = 0,
        notes: Sequence[str] = (),
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(samples, config, key, backend=backend)
        self.ids = list(ids)
        self.labels = labels
        self.classes = list(classes)
        self.suspiciousness = suspiciousness
        self.suggestions = suggestions
        self.confidence = confidence
        self.reasons = reasons
        self.reason_names = list(reason_names)
        self.signals = signals
        self.signal_names = list(signal_names)
        self.unlabeled = list(unlabeled)
        self.unreadable = dict(unreadable or {})
        self.vanished = list(vanished)
        self.near_duplicates = dict(near_duplicates or {})
        self.estimated_faults = int(estimated_faults)
        self.notes = list(notes)
        self.seconds = dict(seconds or {})

    def drop_vanished(self, present: Collection[str]) -> None:
        """Moves the samples that no longer exist to ``vanished``.

        Args:
            present: ids of the samples that still exist.
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
        self.estimated_faults = min(self.estimated_faults, len(self.ids))

    def near_duplicate_ids(self, ids: Sequence[str] | None = None) -> list[str]:
        """Ids of near duplicates with different labels, each beside its other ones.

        Of samples, ``dataset.select(ids, ordered=True)`` shows them.

        Args:
            ids: some samples, in whose order they are to come; None is all, the most
                suspicious first.
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

    def label_texts(self) -> np.ndarray:
        """Object (N,): the given labels, as strings."""
        return np.array(self.classes, object)[self.labels]

    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the suggestions, as strings; None for none."""
        return np.array(self.classes, object)[self.suggestions[rows]]

    def most_confused(self) -> tuple[str, str, int] | None:
        """The commonest disagreement: given class, suggested class, and how often.

        None if every suggestion equals its label; the first pair in the order of
        ``classes`` where several are equally common.
        """
        differ = self.labels != self.suggestions
        if not differ.any():
            return None
        size = len(self.classes)
        pairs = self.labels[differ] * size + self.suggestions[differ]
        codes, counts = np.unique(pairs, return_counts=True)
        given, suggested = divmod(int(codes[counts.argmax()]), size)
        return self.classes[given], self.classes[suggested], int(counts.max())

    def summary(self) -> dict[str, Any]:
        """What to tell a user: counts, the most confused pair of classes, notes.

        Returns:
            a JSON-serializable dict with the keys ``scored``, ``unlabeled``,
            ``unreadable``, ``vanished``, ``estimated_faults`` (numbers of samples),
            ``most_confused`` (see :meth:`most_confused`) and ``notes``.
        """
        return {
            "scored": len(self.ids),
            "unlabeled": len(self.unlabeled),
            "unreadable": len(self.unreadable),
            "vanished": len(self.vanished),
            "estimated_faults": self.estimated_faults,
            "most_confused": self.most_confused(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        facts = self.summary()
        lines = [
            f"{facts['scored']} {self.config.place.noun}s scored, about "
            f"{facts['estimated_faults']} of them probably faults (brain run "
            f"{self.key!r})"
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
        data.update({name: getattr(self, name) for name in _PLAIN})
        return data

    @classmethod
    def _from_dict(
        cls, d: dict[str, Any], samples: Any, config: DFauLoConfig, key: str
    ) -> DFauLoResults:
        values = {name: d[name] for name in _PLAIN if name in d}  # later ones are new
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
