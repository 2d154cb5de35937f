"""Forged tokens of every known kind are refused, all with the same answer."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serve.auth.refusals import NotAuthenticated
from serve.auth.tokens import KNOWN_MAX, Tokens
from tests.serve.auth.door import SECRET, Door

Forge = Callable[[dict[str, Any], str], str]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    head = {"alg": algorithm, "typ": "JWT"}
    return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}."


def signed(claims: dict[str, Any], key: Any = SECRET, **options: Any) -> str:
    return jwt.encode(claims, key, **({"algorithm": "HS256"} | options))


def with_public_key(claims: dict[str, Any], _: str) -> str:
    """HS256 with the RSA public key as the secret: the library must not be asked to guess which is meant."""
    pem = (
        rsa.generate_private_key(65537, 2048)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    import hashlib
    import hmac

    head = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    return f"{head}.{body}.{b64(hmac.new(pem, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


def by_rsa(claims: dict[str, Any], _: str) -> str:
    return signed(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256")


def tampered(_: dict[str, Any], good: str) -> str:
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{b64(json.dumps(claims | {'sub': 'bob'}).encode())}.{signature}"


def other_head(_: dict[str, Any], good: str) -> str:
    _, body, signature = good.split(".")
    head = json.dumps({"alg": "HS256", "typ": "JWT", "kid": "x"}).encode()
    return f"{b64(head)}.{body}.{signature}"


def changed(**changes: Any) -> Forge:
    return lambda claims, _: signed(claims | changes)


def without(name: str) -> Forge:
    return lambda claims, _: signed({key: value for key, value in claims.items() if key != name})


def by_header(**header: Any) -> Forge:
    """Signed with what an attacker can know of a file or page that the header names."""
    return lambda claims, _: signed(claims, b"\0" * 32, headers=header)


DAY_S = 86_400
SOON, LONG_AGO = int(time.time()) + DAY_S, int(time.time()) - DAY_S  # all tests together take hours
FORGED: dict[str, Forge] = {
    "alg none": lambda claims, _: unsigned(claims),
    "alg None": lambda claims, _: unsigned(claims, "None"),
    "alg NONE": lambda claims, _: unsigned(claims, "NONE"),
    "alg missing": lambda claims, _: f"{b64(b'{}')}.{b64(json.dumps(claims).encode())}.",
    "signature cut off": lambda _, good: good.rpartition(".")[0] + ".",
    "signature of two parts": lambda _, good: good.rpartition(".")[0],
    "HS256 with a public RSA key": with_public_key,
    "RS256": by_rsa,
    "HS512 with our secret": lambda claims, _: signed(claims, SECRET * 2, algorithm="HS512"),
    "HS384 with our secret": lambda claims, _: signed(claims, SECRET * 2, algorithm="HS384"),
    "another secret": lambda claims, _: signed(claims, b"x" * 32),
    "expired": changed(exp=LONG_AGO),
    "not yet": changed(nbf=SOON),
    "issued in the future": changed(iat=SOON),
    "another audience": changed(aud="neural-trader:other"),
    "no audience": without("aud"),
    "another issuer": changed(iss="evil"),
    "no issuer": without("iss"),
    "no end": without("exp"),
    "no session": without("sid"),
    "no id": without("jti"),
    "no scope": without("scope"),
    "endless": changed(exp="never"),
    "subject is no text": changed(sub=["alice"]),
    "another session": changed(sid="0" * 16),
    "session of another": changed(sub="bob"),
    "nobody": changed(sub="mallory"),
    "tampered payload": tampered,
    "tampered header": other_head,
    "kid walks to /dev/null": by_header(kid="../../../../../../dev/null"),
    "kid injects": by_header(kid="x' UNION SELECT 'secret"),
    "jku": by_header(jku="http://127.0.0.1:9/keys"),
    "x5u": by_header(x5u="http://127.0.0.1:9/cert"),
    "jwk": by_header(jwk={"kty": "oct", "k": b64(b"\0" * 32)}),
    "oversized": lambda claims, _: signed(claims | {"pad": "x" * 10_000}),
    "deep": lambda _c, _: f"{b64(b'[' * 3000)}.{b64(b'{}')}.",
    "empty": lambda _c, _: "",
    "no token": lambda _c, _: "a.b.c",
    "not ascii": lambda _c, _: "ä.ö.ü",
    "zero byte": lambda _, good: good + "\0",
    "twice": lambda _, good: f"{good}.{good}",
}


def answer(door: Door, headers: dict[str, Any]) -> Any:
    async def ask() -> Any:
        async with door.client() as client:
            return await client.get("/v1/portfolio", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_forged_token_is_refused_in_one_shape(door: Door, forge: Forge) -> None:
    good = door.login().access_token
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = {"authorization": b"Bearer " + forge(claims, good).encode("latin-1")}
    reply, wanted = answer(door, forged), answer(door, {"authorization": "Bearer x"})
    assert reply.status_code == 401
    assert same(reply) == same(wanted)
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer(door, {"authorization": f"Bearer {good}"}).status_code == 200


def same(reply: Any) -> Any:
    """An answer but for its id."""
    body = {key: value for key, value in reply.json().items() if key != "correlation_id"}
    return body, sorted(set(reply.headers) - {"x-correlation-id", "content-length"})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic YWxpY2U6cGFzcw=="},
        {"authorization": "Bearer"},
        {"authorization": "Negotiate x"},
        {"x-api-key": "nt_000000000000_" + "0" * 64},
        {"x-api-key": "../../etc/passwd"},
        {"cookie": "nt_session=x.y.z"},
    ],
)
def test_other_credentials_that_are_no_good_are_refused_alike(
    door: Door, headers: dict[str, str]
) -> None:
    reply = answer(door, headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "AUTH_REFUSED")
    assert same(reply) == same(answer(door, {"authorization": "Bearer x"}))


def test_authorization_that_is_no_good_is_not_saved_by_a_good_cookie(door: Door) -> None:
    cookie = f"nt_session={door.login().access_token}"
    assert answer(door, {"cookie": cookie}).status_code == 200
    assert answer(door, {"cookie": cookie, "authorization": "Bearer x"}).status_code == 401


def test_token_of_another_cluster_is_no_good_here(
    door: Door, make_door: Callable[..., Door]
) -> None:
    other = make_door(cluster="other").with_people()
    token = other.login().access_token
    assert answer(other, {"authorization": f"Bearer {token}"}).status_code == 200
    assert answer(door, {"authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_that_was_good_ends_with_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = Tokens(SECRET, "test", timedelta(seconds=60))
    token = tokens.issue("alice", "s", ["read"])
    assert tokens.read(token).user == "alice"
    claims = tokens.read(token)
    ended = msgspec.structs.replace(claims, expires_at=int(time.time()) - 1)
    monkeypatch.setitem(tokens._good, token, ended)
    monkeypatch.setattr(jwt, "decode", refuse)
    with pytest.raises(NotAuthenticated):
        tokens.read(token)


def refuse(*_: object, **__: object) -> None:
    raise jwt.ExpiredSignatureError


def test_remembered_tokens_are_bounded() -> None:
    tokens = Tokens(SECRET, "test", timedelta(seconds=60))
    for number in range(KNOWN_MAX + 10):
        tokens.read(tokens.issue("alice", str(number), ["read"]))
    assert len(tokens._good) <= KNOWN_MAX
