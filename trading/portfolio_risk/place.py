"""Where arrays are computed: numpy, or another library and its device when a person has one."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from trading.indicators.rolling import FloatArray

Array = Any
"""An array of whichever library the place has."""


@dataclass(frozen=True, slots=True)
class Place:
    """A library of arrays and one of its devices.

    Attributes
    ----------
    xp : module
        numpy, cupy, torch, or any that follows the array API standard.
    device : object
        As `xp.asarray` takes it, such as "cuda" for torch; None for the library's own choice.
    """

    xp: ModuleType = np
    device: object = None

    def array(self, values: Array) -> Array:
        """Return values of the host, or of this place, as an array here."""
        if self.device is None:
            return self.xp.asarray(values)
        return self.xp.asarray(values, device=self.device)

    def host(self, values: Array) -> FloatArray:
        """Return an array of this place as one of numpy."""
        return np.asarray(np.from_dlpack(values, device="cpu"), dtype=np.float64)


HOST = Place()
