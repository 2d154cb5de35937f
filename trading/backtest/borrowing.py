"""Machine code for the loop over bars: one function in the end, in which numba counts no references.

For every array that a compiled function hands on, numba raises and lowers the count of its owners, each an
atomic operation of some 7 ns; a fill came to a hundred of them. The kernel makes no array and keeps none: its
caller holds all of them until it returns, so there is nothing to count.
"""

from typing import Any, cast

from trading.compiled import Function, compiled


def borrowing(function: Function) -> Function:
    """Compile `function`, which makes and keeps no array, into its compiled callers; see `compiled`."""
    machine_code = cast("Any", compiled(function))
    options = {"_nrt": False, "forceinline": True}  # the first as in numba's own sorting
    machine_code.targetoptions.update(options)
    return cast("Function", machine_code)
