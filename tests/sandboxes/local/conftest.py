from typing import Any

import pytest

from sandboxes.local.backend import LocalBackend
from tests.sandboxes.local.home import NAMES, backend_of


@pytest.fixture(params=NAMES)
def backend(request: Any) -> LocalBackend:
    """Each rung that this machine offers."""
    return backend_of(request.param)
