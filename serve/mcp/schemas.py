"""Schemas that fit into an agent's context: every word of them is paid for with each conversation."""

from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from serve.mcp.tool import ToolSpec

Schema = dict[str, Any]


def without_titles(value: Any) -> Any:
    """Return a schema without the titles that repeat the names."""
    if isinstance(value, list):
        return [without_titles(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: without_titles(each)
        for key, each in value.items()
        if not (key == "title" and isinstance(each, str))
    }
    if isinstance(value.get("properties"), dict):  # a property may be called `title`
        kept["properties"] = {
            key: without_titles(each) for key, each in value["properties"].items()
        }
    return kept


def answer_schema(spec: ToolSpec, annotated: Schema) -> Schema:
    """Return what a tool answers: the names of the fields, and what kind of value each has.

    Below that nothing is spelled out: whoever needs more reads an answer.
    """
    if not spec.answer:
        return _outline(annotated)
    module, _, name = spec.answer.partition(":")
    model = getattr(import_module(module), name)
    found = _outline(TypeAdapter(model).json_schema(mode="serialization"))
    added: Schema = {name: {} for name in spec.adds}
    if "use_gpu" in spec.parameters:
        added["processing"] = {"type": "object"}
    return {**found, "properties": {**found["properties"], **added}}


def _outline(schema: Schema) -> Schema:
    definitions = schema.get("$defs", {})
    fields = _followed(schema, definitions).get("properties", {})
    return {
        "type": "object",
        "properties": {name: _kind(each, definitions) for name, each in fields.items()},
    }


def _kind(schema: Schema, definitions: Schema) -> Schema:
    kinds = _kinds(schema, definitions)
    if not kinds:
        return {}
    return {"type": kinds[0] if len(kinds) == 1 else kinds}


def _kinds(schema: Schema, definitions: Schema) -> list[str]:
    """Return the JSON types that it admits; none when it admits all of them."""
    found = _followed(schema, definitions)
    if "type" in found:
        kind = found["type"]
        return list(kind) if isinstance(kind, list) else [str(kind)]
    kinds: list[str] = []
    for arm in [*found.get("anyOf", ()), *found.get("oneOf", ())]:
        arms = _kinds(arm, definitions)
        if not arms:
            return []
        kinds += [kind for kind in arms if kind not in kinds]
    return kinds


def _followed(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema
