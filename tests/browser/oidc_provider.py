"""A small OpenID Connect provider on loopback: whoever is chosen on its page is signed in, nobody's password asked.

After OpenID Connect Core 1.0, sections 3.1.2 (authorization code) and 3.1.3 (token). Ids are signed with RS256.
"""

import json
import secrets
import threading
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

__all__ = ["CLIENT", "SECRET", "provider"]

CLIENT, SECRET = "fedprompt-tests", "not-a-secret"


@contextmanager
def provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Run a provider that knows people by their ``sub``, with their claims; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    server.people, server.codes = people, {}  # type: ignore[attr-defined]
    server.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.address  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/.well-known/openid-configuration":
            at = self.server.address
            self._send(
                {
                    "issuer": at,
                    "authorization_endpoint": f"{at}/authorize",
                    "token_endpoint": f"{at}/token",
                    "jwks_uri": f"{at}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif path == "/keys":
            self._send({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorize" and asked["client_id"] == [CLIENT]:
            if "who" in asked:
                code = secrets.token_urlsafe(16)
                self.server.codes[code] = (asked["who"][0], asked.get("nonce", [""])[0])
                query = urlencode({"code": code, "state": asked["state"][0]})
                self._send(None, 302, Location=f"{asked['redirect_uri'][0]}?{query}")
                return
            links = (f'<p><a href="{self.path}&who={one}">{one}</a></p>' for one in self.server.people)
            self._send(f"<h1>Who are you?</h1>{''.join(links)}")
        else:
            self._send("no such page", 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {key: values[0] for key, values in parse_qs(body).items()}
        scheme, _, basic = self.headers.get("Authorization", "").partition(" ")
        user, _, word = b64decode(basic).decode().partition(":") if scheme == "Basic" else ("", "", "")
        known = (unquote(user) or given.get("client_id"), unquote(word) or given.get("client_secret"))
        if known != (CLIENT, SECRET) or given.get("code") not in self.server.codes or "code_verifier" not in given:
            self._send({"error": "invalid_grant"}, 400)
            return
        who, nonce = self.server.codes.pop(given["code"])
        now = int(time.time())
        claims = {"iss": self.server.address, "aud": CLIENT, "sub": who, "iat": now, "exp": now + 300, "nonce": nonce}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, {**claims, **self.server.people[who]}, self.server.key)
        self._send({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _send(self, body: Any, status: int = 200, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
