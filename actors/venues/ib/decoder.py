"""The library's decoder with exact numbers, which tells us of every message that it could not read."""

from collections.abc import Callable, Sequence
from dataclasses import fields as dataclass_fields
from typing import Any

from ib_async.decoder import Decoder

from actors.venues.ib import decode


class ExactDecoder(Decoder):  # type: ignore[misc]  # the library is not typed
    """Reads messages into the wrapper's methods.

    Numbers with a fraction stay `Decimal`s as they were written. Executions, commissions, order states and
    positions arrive as our own structs.

    Parameters
    ----------
    on_unreadable : function of message number, reason
        Called instead of dropping the message silently.
    """

    def __init__(self, wrapper: Any, on_unreadable: Callable[[str, str], None]) -> None:
        super().__init__(wrapper, 0)
        self._on_unreadable = on_unreadable
        self.handlers |= {
            3: lambda fields: wrapper.statusUpdate(decode.status_update(fields)),
            11: lambda fields: wrapper.execution(*decode.execution(fields)),
            59: lambda fields: wrapper.commission(decode.commission(fields)),
            71: lambda fields: wrapper.positionMulti(*decode.holding(fields)),
        }

    def interpret(self, fields: Sequence[str]) -> None:
        """Hand one message to the wrapper; one that cannot be read breaks nothing."""
        kind = fields[0] if fields else ""
        try:
            self.handlers[int(kind)](fields)
        except Exception as error:  # the library indexes and converts without checks
            self._on_unreadable(kind, f"{type(error).__name__}: {error}")

    def parse(self, obj: Any) -> None:
        """Convert the text in a library object by the types of its defaults."""
        for field in dataclass_fields(obj):
            value = getattr(obj, field.name)
            kind = type(field.default)
            if kind is str or not isinstance(value, str):
                continue
            if not value:
                setattr(obj, field.name, field.default)
            elif kind is float:
                setattr(obj, field.name, decode.decimal(value))
            elif kind is int:
                setattr(obj, field.name, int(value))
            elif kind is bool:
                setattr(obj, field.name, bool(int(value)))
