"""One simulated cluster per test file: it takes a second to make."""

from pathlib import Path

import pytest

from tests.serve.mcp.mcp_scene import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def fresh(tmp_path: Path) -> Scene:
    """A cluster of the test's own."""
    return Scene(tmp_path)
