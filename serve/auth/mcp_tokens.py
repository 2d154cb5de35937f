"""The same tokens and keys for MCP, in the shape that its SDK asks for."""

import asyncio

from mcp.server.auth.provider import AccessToken, TokenVerifier

from serve.auth.access import Access
from serve.auth.api_keys import PREFIX
from serve.auth.tokens import ISSUER
from serve.desk.principal import Principal
from trading.errors import AuthError


class McpTokens(TokenVerifier):
    """Verifies bearer tokens over `Access`: a session's access token, or a key.

    Parameters
    ----------
    resource : str
        Address of the MCP server, which the tokens are for; their audience is this cluster.
    """

    def __init__(self, access: Access, resource: str = "") -> None:
        self._access = access
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return who shows the token; None when it is no good.

        Raises
        ------
        JournalUnavailable
            If that is not known.
        """
        try:
            by = await asyncio.to_thread(self._principal, token)
        except AuthError:
            return None
        return AccessToken(
            token=token,
            client_id=by.name,
            scopes=sorted(by.permissions),
            resource=self._resource or None,
            subject=by.name,
            claims={"iss": ISSUER, "came_by": by.came_by},
        )

    def _principal(self, token: str) -> Principal:
        if token.startswith(PREFIX):
            return self._access.by_key(token, "")
        return self._access.by_token(token, "")
