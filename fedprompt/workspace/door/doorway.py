"""Before every route of a server of ours: under which address it was asked, which page asks, and who was let in.

Invariant: nothing behind it runs for a request under a foreign ``Host``, from a foreign ``Origin``, from within a page
of another site, or, where there is a token, from a browser that was not given the address with it. The token is in no
log and in no answer.

After OWASP's advice on cross-site request forgery and on DNS rebinding, with the W3C's Fetch Metadata; browsers send
``Sec-Fetch-Site`` also where they send no ``Origin``.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from html import escape
from typing import Any
from urllib.parse import unquote_plus

from fedprompt.workspace.door.entry_token import PARAMETER, Entry
from fedprompt.workspace.door.own_address import Addresses

__all__ = ["PAGES", "PLAIN", "Doorway"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]
Say = Callable[[str], tuple[str, str]]

HEALTH, UPLOAD = "/_stcore/health", "/_stcore/upload_file/"
NOT_BY_LINK = ("/_stcore/", "/auth/", "/media/")  # what no link of another site leads to
ASKED = (b"host", b"origin", b"cookie", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")

PLAIN: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Scripts are those of the server. Streamlit's page has one small script in its text, charts are drawn by functions that
# are made on the way, and looks are set in elements. Nothing is asked of any other machine, whatever a name says.
PAGES: tuple[Header, ...] = (
    *PLAIN,
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self' data: "
        b"blob:; worker-src 'self' blob:; frame-src 'none'; frame-ancestors 'none'; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'",
    ),
)
SHUT = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    (b"cache-control", b"no-store"),
    *PLAIN,
)
FOREIGN_HOST = (
    "this address does not belong to this server. If you use a proxy or a forwarded port, start the server "
    "with --allow-origin and the address in the browser"
)
FOREIGN_PAGE = (
    "the request came from a page of another site. If that page is this server behind a proxy or a forwarded "
    "port, start the server with --allow-origin and the address in the browser"
)
STRANGER = "sign in before you upload a file"
LOCKED = (
    "open the address that 'fedprompt ui' printed. Its token lets a browser in for 30 days. The token is also "
    "in the file ui.token of the home folder"
)


def as_text(said: str) -> tuple[str, str]:
    """Return a refusal's content type and body, as a line."""
    return "text/plain; charset=utf-8", f"fedprompt: {said}\n"


class Doorway:
    """An ASGI application before another one."""

    def __init__(
        self,
        app: Application,
        addresses: Addresses,
        entry: Entry | None = None,
        headers: Iterable[Header] = PLAIN,
        say: Say = as_text,
        uploads: Callable[[str], bool] | None = None,
    ) -> None:
        """Stand before an application.

        Args:
            app: what answers whoever may ask.
            addresses: under which the server is seen, besides the one that it listens on.
            entry: the token that a browser needs; none where people sign in, or where programs bring their own.
            headers: what each answer has besides its own.
            say: makes a refusal's content type and body of its sentence.
            uploads: says by a ``Cookie`` header whether a browser may send files; None lets all do it.
        """
        self.app, self.addresses, self.entry = app, addresses, entry
        self.headers, self.say, self.uploads = tuple(headers), say, uploads
        self.named = frozenset(name for name, _ in self.headers)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request pass or refuse it."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        asked = _asked(scope)
        if (why := self._foreign(scope, asked)) is not None:
            await self._refuse(kind, send, why)
        elif self.uploads is not None and UPLOAD in scope["path"] and not self._may_upload(self.uploads, asked):
            await self._refuse(kind, send, STRANGER)
        elif self.entry is not None and (kind == "websocket" or scope["path"] != HEALTH):
            await self._let_in(self.entry, scope, asked, receive, send)
        else:
            await self._pass(scope, receive, send)

    def _foreign(self, scope: Message, asked: dict[bytes, list[bytes]]) -> str | None:
        """Return what is wrong with where a request comes from, None if nothing is."""
        hosts, origins = asked[b"host"], asked[b"origin"]
        scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
        server = scope.get("server")
        server = None if server is None else (server[0], server[1])
        host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        if not self.addresses.has_host(host, scheme, server):
            return FOREIGN_HOST
        if len(origins) > 1 or (scope["type"] == "websocket" and not origins):
            return FOREIGN_PAGE
        if origins and not self.addresses.has_origin(origins[0].decode("latin-1"), host, scheme, server):
            return FOREIGN_PAGE
        if _from_elsewhere(asked) and not _is_visit(scope, asked):
            return FOREIGN_PAGE
        return None

    def _may_upload(self, uploads: Callable[[str], bool], asked: dict[bytes, list[bytes]]) -> bool:
        return any(uploads(one.decode("latin-1")) for one in asked[b"cookie"])

    async def _let_in(
        self, entry: Entry, scope: Message, asked: dict[bytes, list[bytes]], receive: Receive, send: Send
    ) -> None:
        held = any(entry.is_held(one.decode("latin-1")) for one in asked[b"cookie"])
        if scope["type"] == "websocket":
            await (self._pass(scope, receive, send) if held else self._refuse("websocket", send, LOCKED))
            return
        token, rest = _token_of(scope["query_string"])
        looks = scope["method"] in ("GET", "HEAD")
        if looks and token is not None and (held or entry.opens(token)):
            # Out of the address at once: it would stay in the history and be passed on with the page's address.
            kept = (b"set-cookie", entry.given(scope["scheme"] == "https").encode())
            await _answer(send, 303, "", ((b"location", _path(scope) + rest), kept, *SHUT))
        elif held:
            await self._pass(scope, receive, send)
        elif looks and _from_elsewhere(asked) and token is None:
            # A browser keeps a strict cookie back where another site's link led here. What the page itself asks for
            # next has it.
            again = escape((_path(scope) + rest).decode("latin-1"), quote=True)
            page = f'<!doctype html><meta http-equiv="refresh" content="0;url={again}"><title>fedprompt</title>'
            await _answer(send, 200, page, SHUT)
        else:
            visit = asked[b"sec-fetch-mode"] == [b"navigate"]
            await (_answer(send, 403, _FORM, SHUT) if visit else self._refuse("http", send, LOCKED))

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [one for one in message.get("headers", ()) if not self._is_ours(one[0].lower())]
                message = {**message, "headers": [*own, *self.headers]}
            await send(message)

        await self.app(scope, receive, sent)

    def _is_ours(self, name: bytes) -> bool:
        """Return whether a header is not the application's to set: no page of another site may read an answer."""
        return name in self.named or name.startswith(b"access-control-")

    async def _refuse(self, kind: str, send: Send, why: str) -> None:
        if kind == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is accepted: a 403
            return
        content, body = self.say(why)
        await _answer(send, 403, body, SHUT, content)


_FORM = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>fedprompt</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .3rem .6rem }}</style>
<h1>This browser was not let in yet</h1>
<p>Open the address that <code>fedprompt ui</code> or <code>make run</code> printed. It holds a token, which lets a
browser in for 30 days. You can also paste the token here; it lies in the file <code>ui.token</code> of the home folder,
by default <code>~/.fedprompt/ui.token</code>.</p>
<form method="get"><label>Token <input name="{PARAMETER}" type="password" autocomplete="off" required></label>
<button>Open</button></form></html>
"""


def _asked(scope: Message) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {name: [] for name in ASKED}
    for name, value in scope["headers"]:
        if name in found:
            found[name].append(value)
    return found


def _from_elsewhere(asked: dict[bytes, list[bytes]]) -> bool:
    return any(site in (b"cross-site", b"same-site") for site in asked[b"sec-fetch-site"])


def _is_visit(scope: Message, asked: dict[bytes, list[bytes]]) -> bool:
    """Return whether somebody followed a link to a page, in a window of its own."""
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and asked[b"sec-fetch-mode"] == [b"navigate"]
        and asked[b"sec-fetch-dest"] in ([b"document"], [])
        and not any(part in scope["path"] for part in NOT_BY_LINK)
    )


def _token_of(query: bytes) -> tuple[str | None, bytes]:
    """Return the token in a query, and the query without it, with its question mark."""
    begin = f"{PARAMETER}=".encode()
    pieces = query.split(b"&")
    tokens = [piece for piece in pieces if piece.startswith(begin)]
    rest = b"&".join(piece for piece in pieces if not piece.startswith(begin))
    token = unquote_plus(tokens[-1].removeprefix(begin).decode("latin-1"))[:512] if tokens else None
    return token, b"?" + rest if rest else b""


def _path(scope: Message) -> bytes:
    """Return the path of a request, which stays on this server: no browser takes it for another's name."""
    raw = scope.get("raw_path") or scope["path"].encode("ascii", "ignore")
    return b"/" + bytes(raw).partition(b"?")[0].lstrip(b"/\\")


async def _answer(
    send: Send, status: int, body: str, headers: Iterable[Header], content: str = "text/html; charset=utf-8"
) -> None:
    said = body.encode()
    own = ((b"content-type", content.encode()), (b"content-length", str(len(said)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": said})
