"""How a tool is declared: a plain function, and in one place all that is asked of it before it runs."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mcp_types import ToolAnnotations

from serve.desk.principal import Permission, trading_permission
from serve.mcp.call import Call, current_call
from serve.mcp.confirmation import require_yes
from serve.mcp.toolsets import Toolset
from serve.mcp.untrusted import one_line

TRADE = "trade:paper or trade:live"
"""The permission of a tool that trades: which of the two, the mode of the cluster says."""
STOP = "trading, or risk:admin"
"""Whoever may trade may stop all trading."""
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool.

    Attributes
    ----------
    permission : Permission, TRADE or STOP
        Beside READ, which all of them need.
    is_core : bool
        Shown by default.
    changes : bool
        Something is different afterwards: it goes into the audit trail.
    answer : str
        `module:Model` of the answer where that is not the annotation of the function: its module is loaded when the
        tools are listed, not when the server starts.
    adds : tuple of str
        Fields that the answer has beside those of the model.
    """

    function: Callable[..., Any]
    toolset: Toolset
    permission: str
    is_core: bool = False
    changes: bool = False
    is_destructive: bool = False
    is_idempotent: bool = False
    is_open_world: bool = False
    answer: str = ""
    adds: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def place(self) -> tuple[str, int]:
        """File and line, to list them in."""
        return self.function.__module__, self.function.__code__.co_firstlineno

    @property
    def description(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, also of those that clients do not see."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def annotations(self) -> ToolAnnotations:
        return ToolAnnotations(
            read_only_hint=not self.changes,
            destructive_hint=self.is_destructive,
            idempotent_hint=self.is_idempotent or not self.changes,
            open_world_hint=self.is_open_world,
        )

    @property
    def is_confirmed(self) -> bool:
        """Say whether a person is asked before it runs."""
        hints = inspect.get_annotations(self.function, eval_str=True)
        return any("ElicitationResult" in repr(hint) for hint in hints.values())

    def is_shown(self, toolsets: frozenset[Toolset]) -> bool:
        return self.toolset in toolsets or (self.is_core and Toolset.CORE in toolsets)

    def require_permission(self, call: Call) -> None:
        """Check that the caller may use it.

        Raises
        ------
        PermissionMissing
            Naming the permission that is missing.
        """
        call.by.require(Permission.READ)
        if self.permission == STOP and Permission.RISK_ADMIN in call.by.permissions:
            return
        if self.permission in (TRADE, STOP):
            call.by.require(trading_permission(call.desk.trading.mode))
        else:
            call.by.require(Permission(self.permission))

    def guarded(self) -> Callable[..., Any]:
        """Return the function as it is registered: first the person's answer, then the audit trail, then the work."""
        if inspect.iscoroutinefunction(self.function):
            return self._guarded_coroutine()
        function = self.function

        @functools.wraps(function)
        def run(**arguments: Any) -> Any:
            self._admit(current_call(), arguments)
            return function(**arguments)

        return run

    def _guarded_coroutine(self) -> Callable[..., Any]:
        function = self.function

        @functools.wraps(function)
        async def run(**arguments: Any) -> Any:
            await asyncio.to_thread(self._admit, current_call(), arguments)
            return await function(**arguments)

        return run

    def _admit(self, call: Call, arguments: Mapping[str, Any]) -> None:
        """Let it run, or raise."""
        for value in arguments.values():
            require_yes(value)
        if self.changes:
            call.record(self.name, subject_of(arguments))


TOOLS: dict[str, ToolSpec] = {}


def tool(
    toolset: Toolset, permission: str = Permission.READ, **facts: Any
) -> Callable[[Function], Function]:
    """Declare a tool: `@tool(Toolset.RISK)`; see `ToolSpec` for the facts."""

    def declare(function: Function) -> Function:
        TOOLS[function.__name__] = ToolSpec(function, toolset, permission, **facts)
        return function

    return declare


def subject_of(arguments: Mapping[str, Any]) -> str:
    """Return what a call is about, short: its plain arguments."""
    plain = (str, int, float, bool)
    told = (
        f"{name}={one_line(str(value), 64)}"
        for name, value in arguments.items()
        if isinstance(value, plain) and value != ""
    )
    return one_line(" ".join(told), 300)
