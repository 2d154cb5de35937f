"""`/docs` and `/redoc` without a foreign server: the files come from an installed package, no script is inline."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

_PACKAGE = "fastapi_offline"
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/docs/favicon.png">
{head}</head><body>{body}</body></html>"""
_KEPT = {"cache-control": "public, max-age=86400"}


def add_docs(app: FastAPI) -> None:
    """Add both pages; the app is made with `docs_url=None, redoc_url=None`."""
    swagger = _PAGE.format(
        title=app.title,
        head='<link rel="stylesheet" href="/docs/swagger-ui.css">',
        body='<div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script>'
        '<script src="/docs/start.js"></script>',
    )
    redoc = _PAGE.format(
        title=app.title,
        head="",
        body='<redoc spec-url="/openapi.json" disable-search></redoc>'
        '<script src="/docs/redoc.standalone.js"></script>',
    )

    async def swagger_page() -> HTMLResponse:
        return HTMLResponse(swagger)

    async def redoc_page() -> HTMLResponse:
        return HTMLResponse(redoc)

    app.add_api_route("/docs", swagger_page, include_in_schema=False)
    app.add_api_route("/redoc", redoc_page, include_in_schema=False)
    app.add_api_route("/docs/{name}", _file, include_in_schema=False)


def _file(name: str) -> Response:
    if name == "start.js":
        return Response(_START, headers=_KEPT, media_type="text/javascript")
    if name not in _TYPES:
        raise HTTPException(404, f"There is no file {name[:64]} of the documentation")
    content = (files(_PACKAGE) / "static" / name).read_bytes()
    return Response(content, headers=_KEPT, media_type=_TYPES[name])
