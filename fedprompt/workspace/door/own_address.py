"""Under which addresses a server of ours answers: the one that a connection arrived at, and those that were named.

Invariant: hosts and origins are compared whole, the port with them. A name that somebody else's DNS leads here (DNS
rebinding) is none of ours, and a page of another port of this machine is another site's page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from fedprompt.errors import FedPromptError

__all__ = ["VARIABLE", "Addresses", "addresses_of"]

VARIABLE = "FEDPROMPT_ORIGINS"
PORTS = {"http": 80, "https": 443}
MOST = 32


@dataclass(frozen=True)
class Addresses:
    """The addresses that were named: ``origins`` as browsers write them, ``hosts`` as requests name them."""

    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    def has_host(self, host: str, scheme: str, server: tuple[str, int | None] | None) -> bool:
        """Return whether a request's ``Host`` is ours.

        Args:
            host: the header.
            scheme: what the request came by, ``http`` or ``https``.
            server: the address and port of this machine that the connection arrived at.
        """
        host = host.lower()
        return host in self.hosts or host in arrived_at(server, scheme)

    def has_origin(self, origin: str, host: str, scheme: str, server: tuple[str, int | None] | None) -> bool:
        """Return whether the page that asks, by its ``Origin``, is ours: of the host it asks, or of a named address."""
        if origin in self.origins:
            return True
        host = host.lower()
        return origin == f"{scheme}://{host}" and host in arrived_at(server, scheme)


def addresses_of(named: Iterable[str]) -> Addresses:
    """Return the addresses under which others see a server: a proxy's, or a forwarded port's.

    Args:
        named: such as ``https://prompts.example.org`` or ``http://localhost:9000``.

    Raises:
        FedPromptError: one is no such address.
    """
    origins, hosts = set(), set()
    for text in named:
        origin, names = _origin(text)
        origins.add(origin)
        hosts.update(names)
    if len(origins) > MOST:
        raise FedPromptError(f"this server has {len(origins)} addresses; give at most {MOST}", code="too-many")
    return Addresses(frozenset(origins), frozenset(hosts))


def arrived_at(server: tuple[str, int | None] | None, scheme: str) -> frozenset[str]:
    """Return what ``Host`` says where a browser was given the address that the connection arrived at."""
    return frozenset() if server is None or server[1] is None else _names(server[0], server[1], scheme)


@lru_cache(maxsize=64)
def _names(address: str, port: int, scheme: str) -> frozenset[str]:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return frozenset()
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    names = [f"[{found}]" if found.version == 6 else str(found)]
    if str(found) in ("127.0.0.1", "::1"):
        names.append("localhost")
    bare = names if port == PORTS.get(scheme) else []
    return frozenset([*(f"{name}:{port}" for name in names), *bare])


def _origin(text: str) -> tuple[str, list[str]]:
    """Return an address as a browser's ``Origin`` has it, and as ``Host`` has it."""
    asked = FedPromptError(
        f"'{text[:200]}' is not a valid address of this server; give only scheme, name and port, for example "
        "https://prompts.example.org or http://localhost:9000",
        code="not-an-address",
    )
    try:
        parts = urlsplit(text.strip())
        name, port = parts.hostname, parts.port
    except ValueError:
        raise asked from None
    rest = (parts.path.strip("/"), parts.query, parts.fragment, parts.username, parts.password)
    if parts.scheme not in PORTS or not name or any(rest) or not _is_name(name, parts.netloc):
        raise asked
    shown = f"[{ip_address(name)}]" if ":" in name else name.lower()
    default = PORTS[parts.scheme]
    if port is None or port == default:
        return f"{parts.scheme}://{shown}", [shown, f"{shown}:{default}"]
    return f"{parts.scheme}://{shown}:{port}", [f"{shown}:{port}"]


def _is_name(name: str, netloc: str) -> bool:
    if netloc.startswith("["):
        try:
            ip_address(name)
        except ValueError:
            return False
        return True
    return name.isascii() and all(mark.isalnum() or mark in "-._" for mark in name)
