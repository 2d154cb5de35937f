"""Who asks, and what they may do."""

from enum import StrEnum

import msgspec

from trading.errors import PermissionMissing


class Permission(StrEnum):
    """What a person, a key or an agent may be allowed. The words are OAuth scopes."""

    READ = "read"
    TRADE_PAPER = "trade:paper"
    TRADE_LIVE = "trade:live"
    RISK_ADMIN = "risk:admin"
    MODEL_ADMIN = "model:admin"
    SANDBOX_RUN = "sandbox:run"


ALL = frozenset(Permission)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One who asks.

    Attributes
    ----------
    name : str
        As the audit trail names them.
    permissions : frozenset of Permission
    came_by : str
        `loopback` (no authentication is asked for there), `token`, `key` or `stdio`.
    address : str
        From where; empty when there is no network between.
    """

    name: str
    permissions: frozenset[Permission]
    came_by: str
    address: str = ""

    def require(self, permission: Permission) -> None:
        """Check that they may.

        Raises
        ------
        PermissionMissing
            If not.
        """
        if permission not in self.permissions:
            raise PermissionMissing(
                f"{self.name} lacks the permission {permission}; ask for it, or use a key that has it."
            )


def trading_permission(mode: str) -> Permission:
    """Return what trading needs in a cluster of this mode (`paper` or `live`)."""
    return Permission.TRADE_LIVE if mode == "live" else Permission.TRADE_PAPER


def require_one_of(by: Principal, *permissions: Permission) -> None:
    """Check that they have at least one of the permissions.

    Raises
    ------
    PermissionMissing
        If they have none.
    """
    if not by.permissions.intersection(permissions):
        by.require(permissions[0])
