"""Work that can be split into parts, and who does it.

The algorithms of the engine say what is done with a part; an :class:`Executor` says
where. What they hand over is the same in either case:

- a function at the top of a module, which a worker imports by its name;
- what all parts share, such as a model or features, which travels once;
- the parts, small, each with one result.

The function takes several parts and gives their results one by one, so that it can have
one part ready while it works on another, as decoding ahead does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")

Work = Callable[[S, Iterable[P]], Iterator[R]]
"""From what is shared and some parts to the results of these parts, in their order."""


class Shared(ABC, Generic[S]):
    """Something that all parts of some work need."""

    @abstractmethod
    def get(self) -> S:
        """It, where it is asked for; it is not to be written to."""


class Executor(ABC):
    """Who does the work.

    Attributes:
        remote: whether it is others than this process, maybe on other machines.
    """

    remote: bool

    @property
    @abstractmethod
    def has_gpu(self) -> bool:
        """Whether work that is faster on a GPU is done on one, of others."""

    @abstractmethod
    def share(self, value: S) -> Shared[S]:
        """Has something ready for all parts of some work.

        Raises:
            InputError: if it cannot be sent to workers.
            ClusterError: if their memory cannot take it.
        """

    @abstractmethod
    def each(
        self,
        work: Work[S, P, R],
        shared: Shared[S],
        parts: Sequence[P],
        *,
        gpu: bool = False,
    ) -> Generator[R, None, None]:
        """Does some work on parts.

        Args:
            work: what is done.
            shared: from :meth:`share`.
            parts: what it is done on.
            gpu: whether the work is faster on a GPU.

        Yields:
            the results, in the order of the parts. Close the generator
            (``contextlib.closing``) to stop early.

        Raises:
            DFauLoError: what the work raises.
            ClusterError: if workers are lost again and again, or fail otherwise.
        """

    @abstractmethod
    def everywhere(
        self, ask: Callable[[P], R], about: P, *, gpu: bool = False
    ) -> dict[str, R]:
        """What a function says on each machine that works: by the machine's name.

        Args:
            ask: at the top of a module.
            about: what it is asked about.
            gpu: whether only those are asked that do the work for GPUs.

        Raises:
            ClusterError: if a machine cannot say it.
        """

    @abstractmethod
    def threads(self, given: int, *, gpu: bool = False) -> int:
        """How many threads work on a part may have.

        Args:
            given: how many it would have here.
            gpu: whether it is work for a GPU.
        """


class _Kept(Shared[S]):
    def __init__(self, value: S) -> None:
        self._value = value

    def get(self) -> S:
        return self._value


class Here(Executor):
    """This process does the work."""

    remote, has_gpu = False, False

    def share(self, value: S) -> Shared[S]:
        """See :meth:`Executor.share`."""
        return _Kept(value)

    def each(
        self,
        work: Work[S, P, R],
        shared: Shared[S],
        parts: Sequence[P],
        *,
        gpu: bool = False,
    ) -> Generator[R, None, None]:
        """See :meth:`Executor.each`."""
        yield from work(shared.get(), parts)

    def everywhere(
        self, ask: Callable[[P], R], about: P, *, gpu: bool = False
    ) -> dict[str, R]:
        """See :meth:`Executor.everywhere`."""
        return {"": ask(about)}

    def threads(self, given: int, *, gpu: bool = False) -> int:
        """See :meth:`Executor.threads`."""
        return given


HERE = Here()
"""The executor of a run without a cluster."""
