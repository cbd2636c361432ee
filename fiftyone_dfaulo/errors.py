"""Every exception this package raises on purpose.

::

    DFauLoError
    ├── InputError    (ValueError)    something passed in cannot be used
    ├── RunError      (ValueError)    a brain run is missing, or its key or fields clash
    ├── WeightsError  (RuntimeError)  pretrained weights are not to be had
    ├── ClusterError  (RuntimeError)  a cluster is not to be had, or does not work
    └── Cancelled                     the caller stopped the run

A message says what came, what was expected, and what to do about it.
"""


class DFauLoError(Exception):
    """Base class of all errors raised by this package."""


class InputError(DFauLoError, ValueError):
    """Something passed in cannot be used; raised before anything is computed."""


class RunError(DFauLoError, ValueError):
    """A brain run is missing, or its key or one of its fields is taken."""


class WeightsError(DFauLoError, RuntimeError):
    """Pretrained weights are neither in the local cache nor downloadable."""


class ClusterError(DFauLoError, RuntimeError):
    """A cluster is not to be had, lacks what it needs, or has lost its workers."""


class Cancelled(DFauLoError):
    """The caller stopped the run; the dataset is as it was before."""


def one_line(error: BaseException) -> str:
    """What another library's error says, in one line of at most 200 characters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
