"""Building a template at E2B, against the fake."""

import gzip
import io
import tarfile

import pytest

from sandboxes.errors import SandboxRefused
from sandboxes.templates import registry
from sandboxes.templates.e2b_build import build_e2b, image_name
from tests.sandboxes.e2b.fake import Fake

pytestmark = pytest.mark.asyncio


async def test_a_build_sends_the_lock_and_the_size(fake: Fake) -> None:
    heard: list[str] = []
    name = await build_e2b("polars", fake.connection(), on_log=heard.append)
    assert name == image_name("polars")
    asked, steps = fake.builds
    assert (asked["name"], asked["cpuCount"], asked["memoryMB"]) == (name, 1, 1024)
    assert steps["fromImage"] == "python:3.11"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(fake.uploads[0]))) as archive:
        (member,) = archive.getmembers()
        sent = archive.extractfile(member)
        assert sent is not None
        assert sent.read().decode() == registry.lock("polars", "cp311-linux-x86_64").text
    assert "step 1" in heard


async def test_a_failed_build_is_told(fake: Fake) -> None:
    fake.build_status = "error"
    with pytest.raises(SandboxRefused, match="no such wheel"):
        await build_e2b("base", fake.connection())


async def test_without_rights_nothing_is_built(fake: Fake) -> None:
    with pytest.raises(SandboxRefused, match="E2B_API_KEY"):
        await build_e2b("base", fake.connection(api_key="wrong"))
    assert fake.builds == []
