"""The templates that ship: what they say, what is pinned, and what E2B is asked to build."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sandboxes.errors import SandboxRefused
from sandboxes.templates import registry
from sandboxes.templates.e2b_build import e2b_template, image_name
from sandboxes.templates.lock import Lock, elsewhere, line_of, resolve, this_platform

NAMES = ("agent", "base", "polars", "research", "torch-cpu")
PINNED = re.compile(r"[a-z0-9._-]+==\S+ --hash=sha256:[0-9a-f]{64}")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(registry.FOLDER, tmp_path / "templates"))


def test_all_templates_are_listed() -> None:
    assert registry.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_template_is_pinned_with_hashes_dependencies_included(name: str) -> None:
    template = registry.inspect(name)
    lock = registry.lock(name, template.e2b.platform)
    head, *lines = lock.text.splitlines()
    assert head == f"# {template.e2b.platform}"
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert {package.lower() for package in template.packages} <= set(lock.requirements)
    assert {"numpy", "msgpack"} <= set(template.preload)


@pytest.mark.parametrize("name", NAMES)
def test_no_template_hands_on_the_environment_of_the_host(name: str) -> None:
    env = registry.inspect(name).env
    assert env["OPENBLAS_NUM_THREADS"] == "1"
    assert not {"PATH", "HOME", "PYTHONPATH", "LD_PRELOAD"} & env.keys()


def test_the_digest_changes_with_any_hash() -> None:
    lock = registry.lock("base", "cp311-linux-x86_64")
    other = Lock(text=lock.text.replace("sha256:a", "sha256:b"))
    assert lock.digest != other.digest
    assert len(lock.digest) == 64


def test_an_unknown_template_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SandboxRefused, match="agent, base, polars, research, torch-cpu"):
        registry.inspect("numpy")


def test_without_a_lock_the_refusal_says_how_to_make_one() -> None:
    with pytest.raises(SandboxRefused, match=r"write_lock\('base', 'cp399-linux-x86_64'\)"):
        registry.lock("base", "cp399-linux-x86_64")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "base"', 'name = "other"', "calls itself"),
        ("[env]", "surprise = 1\n[env]", "unknown field"),
        ("cpu_count = 1", 'cpu_count = "1"', "Expected `int`"),
    ],
)
def test_a_wrong_file_is_refused(copied: Path, old: str, new: str, said: str) -> None:
    path = copied / "base.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SandboxRefused, match=said):
        registry.inspect("base", copied)


def test_a_lock_is_made_by_pip_and_is_the_one_that_ships(copied: Path) -> None:
    made = registry.write_lock("base", this_platform(), copied)
    assert made.requirements == ("msgpack==1.2.4", "numpy==2.4.6")
    assert registry.lock("base", this_platform(), copied) == made
    if this_platform() == "cp311-linux-x86_64":
        assert made == registry.lock("base", this_platform())


def test_a_lock_for_another_python_has_its_wheels() -> None:
    here = resolve(["msgpack==1.2.4"], this_platform())
    there = resolve(["msgpack==1.2.4"], "cp313-linux-x86_64")
    assert here.requirements == there.requirements
    assert here.digest != there.digest


def test_a_lock_for_another_system_is_refused() -> None:
    with pytest.raises(SandboxRefused, match="only be made there"):
        elsewhere("cp311-darwin-arm64")


def test_a_wheel_without_a_hash_is_refused() -> None:
    package = {
        "metadata": {"name": "x", "version": "1"},
        "download_info": {"url": "file:///x", "dir_info": {}},
    }
    with pytest.raises(SandboxRefused, match="x==1 has no hash"):
        line_of(package)


def test_the_image_is_named_by_its_lock() -> None:
    digest = registry.lock("base", "cp311-linux-x86_64").digest
    assert image_name("base") == f"neural-trader-base:{digest[:12]}"


def test_the_dockerfile_installs_the_lock_and_nothing_else() -> None:
    steps = e2b_template("polars")
    text = steps._template.to_dockerfile(steps)
    assert text.startswith("FROM python:3.11\n")
    assert "COPY polars.cp311-linux-x86_64.txt /opt/neural-trader/requirements.txt" in text
    assert "pip install --require-hashes --no-deps --only-binary :all:" in text
    assert "POLARS_MAX_THREADS=1" in text
    assert text.rstrip().endswith("USER user")


def test_the_template_of_the_agent_stands_on_the_code_interpreter() -> None:
    steps = e2b_template("agent")
    built = json.loads(steps._template.to_json(steps))
    assert built["fromTemplate"] == "code-interpreter-v1"
    copied = next(step for step in built["steps"] if step["type"] == "COPY")
    assert copied["args"][0] == "agent.cp312-linux-x86_64.txt"
    assert len(copied["filesHash"]) == 64


def test_another_index_must_be_an_https_address() -> None:
    steps = e2b_template("torch-cpu", index_url="https://wheels.example.org/cpu")
    assert "--extra-index-url https://wheels.example.org/cpu" in steps._template.to_dockerfile(
        steps
    )
    with pytest.raises(SandboxRefused, match="no https address"):
        e2b_template("torch-cpu", index_url="https://x; rm -rf /")


def test_an_unknown_source_is_refused(copied: Path) -> None:
    path = copied / "base.toml"
    path.write_text(path.read_text().replace("python:3.11", "docker:x"))
    with pytest.raises(SandboxRefused, match=r"e2b\.source"):
        e2b_template("base", folder=copied)
