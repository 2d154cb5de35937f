"""A running simulator for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.venues.alpaca.rig import PATIENT, AlpacaRig, open_rig


def pytest_configure(config: pytest.Config) -> None:
    # alpaca-py opens its streams with the legacy half of websockets
    config.addinivalue_line(
        "filterwarnings", "ignore:websockets.legacy is deprecated:DeprecationWarning"
    )


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[AlpacaRig]:
    rig = await open_rig(tmp_path)
    rig.options |= PATIENT
    yield rig
    await rig.close()
