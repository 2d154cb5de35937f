"""The table of all routes, for the documentation."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

_HEAD = "| | path | permission | |\n|---|---|---|---|"


def routes_table(app: FastAPI) -> str:
    """Return every documented route as Markdown, one table for each tag: method, path, permission, summary."""
    tables: dict[str, list[str]] = {}
    for route in _documented(app):
        for method in sorted(route.methods):
            row = (
                f"| {method} | `{route.path}` | {_permission(route.dependant)} | {route.summary} |"
            )
            tables.setdefault(str(route.tags[0]), []).append(row)
    return "\n\n".join(
        "\n".join((f"### {tag.capitalize()}", "", _HEAD, *rows)) for tag, rows in tables.items()
    )


def _documented(app: FastAPI) -> Iterator[Any]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            yield route


def _permission(dependant: Any) -> str:
    """Return what the dependencies ask for; nothing for a route that everybody may ask."""
    found = getattr(dependant.call, "asks", "")
    return found or next(filter(None, map(_permission, dependant.dependencies)), "")
