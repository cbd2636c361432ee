"""Whether two classes may be one: whether what an item looks like tells its label.

Two explanations of how often the items of two classes look like the other one:

- *One class*: the label says nothing of what an item looks like. The share of those
  that look like the second class is the same among both.
- *Two classes*: most items look like their own class. The share that does not is below
  a half in each, whatever it is.

Every share is equally likely beforehand, so the probability of the counts under each is
an integral, and no threshold has to be chosen.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln


def one_class_odds(first: tuple[int, int], second: tuple[int, int]) -> float:
    """How much likelier one class makes the counts than two classes, as a logarithm.

    Args:
        first: of the items labelled as one class, how many look like it, and how many
            like the other class.
        second: the same of the other class.
    """
    (own, other), (same, swapped) = first, second
    one = betaln(other + same + 1, own + swapped + 1)
    return float(one - _mostly_own(*first) - _mostly_own(*second))


def _mostly_own(own: int, other: int) -> float:
    """The log-probability of the counts where the share of others is below a half."""
    below = betainc(other + 1, own + 1, 0.5)
    with np.errstate(divide="ignore"):  # hardly possible: then it is one class
        return float(np.log(2) + betaln(other + 1, own + 1) + np.log(below))
