"""One limit changed by name: what a person types becomes a whole, valid set of limits or a clear refusal."""

from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import msgspec

from trading.errors import UsageError
from trading.events import LimitChanged
from trading.identifiers import AccountId, StreamName
from trading.risk.limits import RiskLimits, SymbolLimits

OFF = "off"
"""The value that switches an optional limit off."""


def limits_stream(account_id: AccountId) -> StreamName:
    """Return the shared stream in which an account's limits are changed."""
    return StreamName(f"limits:{account_id}")


def changed(limits: RiskLimits, configured: RiskLimits, change: LimitChanged) -> RiskLimits:
    """Return the limits after a change.

    Parameters
    ----------
    configured : RiskLimits
        What an empty value goes back to.

    Raises
    ------
    UsageError
        If there is no such limit, or the value does not fit it.
    """
    field, _, key = change.name.partition(".")
    if field not in RiskLimits.__struct_fields__:
        near = get_close_matches(field, RiskLimits.__struct_fields__, n=1)
        hint = f"did you mean {near[0]}?" if near else "`trader risk limits` shows all."
        raise UsageError(f"there is no limit {field!r}; {hint}")
    if not change.value:
        value = _restored(getattr(limits, field), getattr(configured, field), key)
    elif key:
        value = _with_entry(field, getattr(limits, field), key, change.value)
    else:
        value = _plain(field, change.value)
    try:
        plain = {name: getattr(limits, name) for name in RiskLimits.__struct_fields__}
        return msgspec.convert(
            {**msgspec.to_builtins(plain), field: value}, RiskLimits, strict=False
        )
    except (msgspec.ValidationError, ValueError) as error:
        text = str(error).partition(" - at")[0]
        raise UsageError(f"{change.name} = {change.value!r}: {text}.") from None


def _restored(current: Any, configured: Any, key: str) -> Any:
    if not key:
        return msgspec.to_builtins(configured)
    entries = dict(current)
    entries.pop(key, None)
    if key in configured:
        entries[key] = configured[key]
    return msgspec.to_builtins(entries)


def _with_entry(field: str, current: Any, key: str, value: str) -> Any:
    """`max_group_exposure.sector:energy`, `symbols.AAPL.XNAS.located`."""
    if not isinstance(current, dict):
        raise UsageError(f"{field} is one value; write {field} alone.")
    if field != "symbols":
        return {**msgspec.to_builtins(current), key: value}
    name, _, limit = key.rpartition(".")
    if limit not in SymbolLimits.__struct_fields__ or not name:
        known = ", ".join(SymbolLimits.__struct_fields__)
        raise UsageError(f"write symbols.SYMBOL.VENUE.LIMIT with one of {known}.")
    own = msgspec.to_builtins(current.get(name) or SymbolLimits())
    return {**msgspec.to_builtins(current), name: {**own, limit: None if value == OFF else value}}


def _plain(field: str, value: str) -> Any:
    kind = RiskLimits.__annotations__[field]
    if value == OFF:
        if kind in (Decimal | None, int | None):
            return None
        if kind is bool:
            return False
        raise UsageError(f"{field} cannot be switched off.")
    if value == "on" and kind is bool:
        return True
    if field == "restricted":
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


class LimitBook:
    """The limits in force: those of the configuration and what was changed since. A fold over `limits:<account>`.

    Attributes
    ----------
    limits : RiskLimits
    """

    def __init__(self, configured: RiskLimits) -> None:
        self.limits = configured
        self._configured = configured
        self._changes: dict[str, LimitChanged] = {}
        self._refused = 0

    def apply(self, change: LimitChanged) -> bool:
        """Take a change over; False, and counted, when it does not fit the limits."""
        try:
            self.limits = self.after(change)
        except UsageError:
            self._refused += 1
            return False
        self._changes[change.name] = change
        return True

    def after(self, change: LimitChanged) -> RiskLimits:
        """Return what the limits would be after a change.

        Raises
        ------
        UsageError
            If it does not fit them.
        """
        return changed(self.limits, self._configured, change)

    def changes(self) -> dict[str, LimitChanged]:
        """Return the last change of each limit that is not as configured."""
        return {name: change for name, change in self._changes.items() if change.value}

    def view(self) -> dict[str, object]:
        """Return who changed what to which value, and how many changes were refused."""
        made = {
            name: {"value": change.value, "actor": change.actor, "reason": change.reason}
            for name, change in self.changes().items()
        }
        return {"made": made, "refused": self._refused}
