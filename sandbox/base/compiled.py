"""Loops compiled to machine code, where a batch is too small for array operations to pay.

A compiled function computes what its Python text says, operation by operation: no sum is reordered and
nothing is fused. (A number written out, as 0.5, has 64 bits, whatever it meets.) Compiling takes seconds,
once for a machine: the result is kept beside the source, and made anew when that file changes. So the
constants of other files are handed in: a change of theirs would go unnoticed.

Importing numba takes a quarter of a second, so nothing that a live service or the command line
needs at its start may come here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compiled for each combination of types that it is called with: `laid` keeps those few. It checks no
    bounds: an index out of range is the caller's to prevent."""
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))


def laid(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """The same array if it is contiguous, writable and of this type, else a copy that is."""
    return np.require(values, dtype, ["C", "W"])
