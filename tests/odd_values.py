"""Values that nobody means to pass, for the fuzzing in ``test_fuzz.py``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from bson import ObjectId
from hypothesis import strategies as st


class Untellable:
    """Raises at every question."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise RuntimeError("no length")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "",
            " ",
            "x",
            "dfaulo",
            "other",
            "ground_truth",
            "ground_truth.label",
            "vectors",
            "truth",
            "id",
            "_id",
            "filepath",
            "$where",
            "a.b",
            "a..b",
            "\0",
            "x\0.csv",
            "\ud800",
            "~nosuchuser/x",
            "~nosuchuser/x.csv",
            "~nosuchuser/x.png",
            "/dev/null/x.csv",
            "a" * 5000,
            "a" * 5000 + ".csv",
            "faulty",
            "top",
            "selected",
            "9" * 24,
        ]
    )
    | st.sampled_from([2**31, 2**63, -(2**70), 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
"""What a request from the App could hold."""

OBJECTS: list[Any] = [
    b"x",
    (),
    {1, 2},
    {None: 1},
    object(),
    Untellable(),
    SimpleNamespace(),
    int,
    len,
    lambda: 1,
    Path("x\0"),
    Path("~nosuchuser/x"),
    Path("~nosuchuser/x.csv"),
    Path("~nosuchuser/x.png"),
    ObjectId(),
    [ObjectId()],
    [None],
    [[]],
    np.array([1, 2]),
    np.array("x"),
    np.zeros((2, 2)),
    np.zeros(0),
    np.float64("nan"),
    np.int64(3),
    np.bool_(True),
    np.str_("x"),
    torch.zeros(2),
    torch.nn.Identity(),
    1j,
    range(3),
    iter([1]),
]
"""What Python code could pass besides."""

ODD = JSON | st.sampled_from(OBJECTS)
