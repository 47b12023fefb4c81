"""Draws the cases of a run: `make test` runs a few of each test, `make soak` all."""

import os
import random
import secrets
from collections.abc import Sequence
from typing import Any

import pytest

#: Decides what is drawn, which requests go wrong and what objects hold; told in the head of the report.
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))

# pytest-xdist's processes draw the same.
os.environ["FAULTS_SEED"] = str(SEED)


def drawn(name: str, cases: Sequence[Any], count: int, always: Sequence[Any] = ()) -> list[Any]:
    """Return all cases as parameters; all but those of `always` and `count` others are left to `make soak`.

    `name` is the test's.
    """
    others = [number for number, case in enumerate(cases) if case not in always]
    few = random.Random(f"{SEED} {name}").sample(others, min(count, len(others)))
    return [as_parameter(case, is_full=case not in always and number not in few) for number, case in enumerate(cases)]


def as_parameter(case: Any, *, is_full: bool) -> Any:
    """Return one case, perhaps left to `make soak`."""
    values = case if isinstance(case, tuple) else (case,)
    marks = [pytest.mark.full] if is_full else []
    return pytest.param(*values, marks=marks, id="-".join(str(value).replace(" ", "-") for value in values))
