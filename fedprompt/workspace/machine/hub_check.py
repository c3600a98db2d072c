"""``doctor --hub``: can this machine reach a hub? Name, port, TLS, interception, clock, certificate, in this order.

The first that fails is named, since what comes after it would fail too. Nothing is sent but a TLS handshake, with the
site's own certificate where it has joined. Before that, whose certificate it is cannot be told, and is said so.
"""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled, enrolled_sites
from fedprompt.workspace.home import Home

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["CHECKS", "HubCheck", "HubChecked", "check_hub"]

CHECKS = ("name", "port", "tls", "interception", "clock", "certificate")
PORT = 8002
SECONDS = 5.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # HTTP/2 and empty settings


@dataclass(frozen=True)
class HubCheck:
    """One of ``CHECKS``, whether it passed, and what was found."""

    check: str
    ok: bool
    told: str


@dataclass(frozen=True)
class HubChecked:
    """The way to a hub: ``failed`` is the first of ``CHECKS`` that failed, after which none is done, or None."""

    host: str
    port: int
    ok: bool
    failed: str | None
    checks: tuple[HubCheck, ...]


class _Failed(Exception):
    """What a check found wrong; never leaves this module."""


def check_hub(home: Home, address: str, *, site: str | None = None) -> HubChecked:
    """Return what was found on the way to a hub.

    Args:
        address: ``HOST`` or ``HOST:PORT``; the port of the site's invitation, or 8002, if it is left out.
        site: whose certificate to show, where this home has several.

    Raises:
        FederationError: the address is none.
    """
    chosen = enrolled(home, site) if site is not None or len(enrolled_sites(home)) == 1 else None
    host, port = _split(address, chosen)
    kit = chosen.kit if chosen is not None and chosen.kit.exists() else None
    found: list[HubCheck] = []
    way = _Way(host, port, kit)
    for check in CHECKS:
        try:
            found.append(HubCheck(check, True, way.look(check)))
        except _Failed as error:
            found.append(HubCheck(check, False, str(error)))
            break
    failed = next((one.check for one in found if not one.ok), None)
    return HubChecked(host, port, ok=failed is None, failed=failed, checks=tuple(found))


def _split(address: str, site: EnrolledSite | None) -> tuple[str, int]:
    host, mark, digits = address.rpartition(":")
    if not mark or "]" in digits:
        host, digits = address, ""
    host = host.removeprefix("[").removesuffix("]")
    bad = digits and not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 65_535)
    if bad or not host:
        raise FederationError(f"'{address}' is not a valid hub address; give HOST or HOST:PORT", code="not-an-address")
    return host, int(digits) if digits else int(site.about["port"]) if site is not None else PORT


@dataclass
class _Way:
    """The way to a hub; it is looked at in the order of ``CHECKS``."""

    host: str
    port: int
    kit: Path | None
    leaf: "Certificate | None" = None

    def look(self, check: str) -> str:
        looks = (self._name, self._port, self._tls, self._interception, self._clock, self._certificate)
        return dict(zip(CHECKS, looks, strict=True))[check]()

    def _name(self) -> str:
        try:
            found = {row[4][0] for row in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError) as error:
            raise _Failed(
                f"the name '{self.host}' cannot be resolved ({error}); ask for the correct name, or for a DNS entry"
            ) from error
        return f"{self.host} is {', '.join(sorted(map(str, found)))}"

    def _connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), SECONDS)

    def _tls(self) -> str:
        from cryptography.x509 import load_der_x509_certificate

        try:
            with self._connect() as raw, self._context().wrap_socket(raw, server_hostname=self.host) as wrapped:
                shown, version = wrapped.getpeercert(True), wrapped.version()
        except (OSError, ssl.SSLError) as error:
            raise _Failed(
                f"{self.host}:{self.port} answers, but not with TLS ({_reason(error)}); check the port, and "
                "whether a proxy is in between"
            ) from error
        if shown is None:
            raise _Failed(f"the server at {self.host}:{self.port} sends no certificate")
        try:
            self.leaf = load_der_x509_certificate(shown)
        except ValueError as error:
            raise _Failed(f"the server at {self.host}:{self.port} sends a damaged certificate") from error
        return f"it speaks {version}"

    def _interception(self) -> str:
        leaf = self._leaf
        issuer = leaf.issuer.rfc4514_string() or "nobody"
        if self.kit is None:
            return f"unknown until 'fedprompt site join'; the certificate was issued by {issuer}"
        try:
            leaf.verify_directly_issued_by(self._authority())
        except (ValueError, TypeError) as error:
            raise _Failed(
                f"the certificate is from '{issuer}' instead of the federation's authority. A proxy intercepts "
                "the connection, or this is another hub; ask your network's operator not to intercept TLS to it"
            ) from error
        except Exception as error:  # cryptography's InvalidSignature
            raise _Failed(
                f"the certificate names '{issuer}', but that authority did not sign it; this is another hub, "
                "or an attacker is in between"
            ) from error
        return "the certificate is from the federation's authority"

    def _clock(self) -> str:
        now, leaf = datetime.now(UTC), self._leaf
        told = f"{now.isoformat(timespec='seconds')} here"
        if now < leaf.not_valid_before_utc:
            raise _Failed(
                f"this machine's clock shows {told}, but the hub's certificate is valid only from "
                f"{leaf.not_valid_before_utc.isoformat()}; the clock is behind, so set it"
            )
        if now > leaf.not_valid_after_utc:
            raise _Failed(
                f"this machine's clock shows {told}, but the hub's certificate expired "
                f"{leaf.not_valid_after_utc.isoformat()}; set the clock, or ask the hub for a new certificate"
            )
        return f"{told}, within the certificate's validity"

    def _certificate(self) -> str:
        names = _names(self._leaf)
        if self.host.lower() not in names:
            raise _Failed(
                f"the certificate is for {', '.join(names) or 'no name'}, not for '{self.host}'; use the hub's "
                "name from the invitation"
            )
        if self.kit is None:
            return f"it is for {self.host}; after you join, this also checks that the hub accepts your certificate"
        own = self._own()
        if not own.not_valid_before_utc <= datetime.now(UTC) <= own.not_valid_after_utc:
            raise _Failed(
                f"this site's own certificate expired {own.not_valid_after_utc.isoformat()}; ask the hub for a new kit"
            )
        try:
            with self._connect() as raw, self._context().wrap_socket(raw, server_hostname=self.host) as wrapped:
                wrapped.sendall(PREFACE)  # with TLS 1.3 it is only now that a refusal comes
                answered = bool(wrapped.recv(1))
        except (OSError, ssl.SSLError) as error:
            raise _Failed(
                f"the hub does not accept this site's certificate ({_reason(error)}); it may be revoked, or "
                "belong to another federation"
            ) from error
        if not answered:
            raise _Failed(
                "the hub closes the connection after it sees this site's certificate; the certificate may be revoked"
            )
        return f"it is for {self.host}, and the hub accepts this site's certificate"

    def _port(self) -> str:
        try:
            self._connect().close()
        except TimeoutError as error:
            raise _Failed(
                f"no answer from {self.host}:{self.port} within {SECONDS:.0f} s: a firewall drops the "
                "connection; the guide for site operators has a request to paste"
            ) from error
        except OSError as error:
            raise _Failed(
                f"{self.host}:{self.port} refuses the connection ({error.strerror or error}): the hub is not "
                "running, or a firewall refuses; ask its operator for 'fedprompt hub status'"
            ) from error
        return f"{self.host}:{self.port} takes connections"

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # who it is, is looked at here, by name
        context.set_alpn_protocols(["h2"])
        if self.kit is not None:
            context.load_cert_chain(self.kit / "startup" / "client.crt", self.kit / "startup" / "client.key")
        return context

    @property
    def _leaf(self) -> "Certificate":
        assert self.leaf is not None  # 'tls' came before
        return self.leaf

    def _authority(self) -> "Certificate":
        return self._load("rootCA.pem")

    def _own(self) -> "Certificate":
        return self._load("client.crt")

    def _load(self, name: str) -> "Certificate":
        from cryptography.x509 import load_pem_x509_certificate

        assert self.kit is not None
        try:
            return load_pem_x509_certificate((self.kit / "startup" / name).read_bytes()[: 64 * 1024])
        except (OSError, ValueError) as error:
            raise _Failed(f"this site's kit has no readable {name}; join again") from error


def _names(leaf: "Certificate") -> tuple[str, ...]:
    """Return the names and addresses that a certificate is for."""
    from cryptography import x509

    found = [str(part.value) for part in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found += names.get_values_for_type(x509.DNSName)
        found += [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    except (x509.ExtensionNotFound, ValueError):
        pass
    return tuple(dict.fromkeys(name.lower() for name in found))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error) or type(error).__name__
