"""What scoring yields, whichever the method."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Scores:
    """The scores of N samples with labels from K classes.

    Attributes:
        suspiciousness: float64 (N,), in [0, 1]; higher is more likely a fault.
        suggestion: int64 (N,), index of the class that the mutants hold for the
            likeliest.
        confidence: float32 (N,), in [0, 1]; the mutants' probability of the suggestion.
        reasons: bool (N, R); which entries of
            :data:`.reasons.REASONS` apply, and of ``more_reasons``.
        signals: float32 (N, S); one column a signal. With ``method="dfaulo"`` higher is
            more suspicious; the paper's features have no such direction.
        signal_names: S names, in the order of the columns.
        near_duplicate_of: int64 (N,), position of the nearest near duplicate that has
            another label; -1 where there is none, or none was looked for.
        estimated_faults: how many of the N samples are probably faults.
        notes: plain sentences that a user should read with the result.
        more_reasons: names of the last columns of ``reasons``.
    """

    suspiciousness: np.ndarray
    suggestion: np.ndarray
    confidence: np.ndarray
    reasons: np.ndarray
    signals: np.ndarray
    signal_names: tuple[str, ...]
    near_duplicate_of: np.ndarray
    estimated_faults: int
    notes: tuple[str, ...] = ()
    more_reasons: tuple[str, ...] = ()

    def with_rows(self, rows: np.ndarray, other: Scores) -> Scores:
        """These scores, and those that others have for some samples; bool (N,)."""

        def both(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
            together = mine.copy()
            together[rows] = theirs[rows]
            return together

        suspiciousness = both(self.suspiciousness, other.suspiciousness)
        return replace(
            self,
            suspiciousness=suspiciousness,
            suggestion=both(self.suggestion, other.suggestion),
            confidence=both(self.confidence, other.confidence),
            reasons=both(self.reasons, other.reasons),
            signals=both(self.signals, other.signals),
            estimated_faults=round(float(suspiciousness.sum())),
        )
