"""A template as an image at E2B, made by the builder of its library."""

import re
from collections.abc import Callable
from pathlib import Path

from e2b import AsyncTemplate
from e2b.template.logger import LogEntry
from e2b.template.main import TemplateBuilder

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.faults import asking
from sandboxes.errors import SandboxRefused
from sandboxes.templates.registry import FOLDER, inspect, lock, lock_path
from sandboxes.templates.template import Template

BUILD_TIMEOUT_S = 3600.0
TAG_DIGITS = 12
REQUIREMENTS = "/opt/neural-trader/requirements.txt"
INSTALL = "pip install --require-hashes --no-deps --only-binary :all: --no-cache-dir"


def image_name(name: str, folder: Path = FOLDER) -> str:
    """Return what a template is called at E2B: its alias, tagged with the digest of its lock."""
    template = inspect(name, folder)
    digest = lock(name, template.e2b.platform, folder).digest
    return f"{template.e2b.alias}:{digest[:TAG_DIGITS]}"


def e2b_template(name: str, index_url: str = "", folder: Path = FOLDER) -> TemplateBuilder:
    """Return the steps that make the image.

    Parameters
    ----------
    index_url : str
        A further package index to install from: wheels such as those of torch for processors are not
        on the usual one. Every wheel is checked against the lock, wherever it comes from.
    """
    template = inspect(name, folder)
    requirements = lock_path(name, template.e2b.platform, folder)
    more = f" --extra-index-url {index_url}" if index_url else ""
    if index_url and not re.fullmatch(r"https://[\w.:/~%-]+", index_url):
        raise SandboxRefused(f"{index_url!r} is no https address of a package index")
    return (
        from_source(AsyncTemplate(file_context_path=requirements.parent), template)
        .set_user("root")
        .copy(requirements.name, REQUIREMENTS, mode=0o444)
        .run_cmd(f"{INSTALL}{more} -r {REQUIREMENTS}")
        .set_envs(template.env)
        .set_user("user")
    )


def from_source(builder: AsyncTemplate, template: Template) -> TemplateBuilder:
    kind, _, source = template.e2b.source.partition(":")
    if kind == "python":
        return builder.from_python_image(source)
    if kind == "template":
        return builder.from_template(source)
    raise SandboxRefused(
        f"template {template.name}: e2b.source must start with python: or template:"
    )


async def build_e2b(
    name: str,
    connection: Connection,
    index_url: str = "",
    on_log: Callable[[str], None] = lambda _: None,
    folder: Path = FOLDER,
) -> str:
    """Build a template at E2B, and return the name that it has there.

    Raises
    ------
    SandboxError
        If E2B refuses, cannot be reached, or the build fails.
    """
    template = inspect(name, folder)
    steps = e2b_template(name, index_url, folder)

    def heard(entry: LogEntry) -> None:
        on_log(entry.message)

    async with asking(f"build template {name}", connection, BUILD_TIMEOUT_S):
        await AsyncTemplate.build(
            steps,
            image_name(name, folder),
            cpu_count=template.e2b.cpu_count,
            memory_mb=template.e2b.memory_mb,
            on_build_logs=heard,
            **connection.options(),
        )
    return image_name(name, folder)
