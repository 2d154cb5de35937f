"""The headers that tell a browser what a page of ours may do: nothing but its own."""

from collections.abc import Sequence

Headers = list[tuple[bytes, bytes]]

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # plotly writes styles into the page
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{kind} {sources}" for kind, sources in _POLICY.items())
ALWAYS: Headers = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
]
UNDER_TLS: Headers = [(b"strict-transport-security", b"max-age=31536000; includeSubDomains")]
NOT_KEPT = (b"cache-control", b"no-store")


def with_security(given: Sequence[tuple[bytes, bytes]], *, under_tls: bool) -> Headers:
    """Return the headers of a response with ours, but for those that it sets itself."""
    said = {name.lower() for name, _ in given}
    ours = [*ALWAYS, *UNDER_TLS, NOT_KEPT] if under_tls else [*ALWAYS, NOT_KEPT]
    return [*given, *(header for header in ours if header[0] not in said)]
