"""The table of routes says what each one asks for."""

from typing import Any

from serve.api.reference import routes_table


def test_the_table_has_every_documented_route_and_its_permission(app: Any) -> None:
    table = routes_table(app.app)
    assert "| GET | `/v1/portfolio` | read | Accounts, positions and strategies |" in table
    assert "| PUT | `/v1/risk/limits/{name}` | risk:admin | Change a limit |" in table
    assert "`/v1/orders` | trade:paper, or trade:live with real money |" in table
    assert "| GET | `/healthz` |  | The process answers |" in table
    paths = app.app.openapi()["paths"]
    rows = [line for line in table.splitlines() if "`/" in line]
    assert len(rows) == sum(len(methods) for methods in paths.values())
    assert all(any(f"`{path}`" in row for row in rows) for path in paths)
