"""Whatever is in the way to a hub is named, against servers that really listen on loopback."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fedprompt.errors import FederationError
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.machine.hub_check import CHECKS, HubChecked, check_hub
from tests.coded import coded

NOW = datetime.now(UTC)


@dataclass
class Party:
    """A key and a certificate, in files."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    def issue(self, name: str, begin: datetime = NOW - timedelta(1), end: datetime = NOW + timedelta(1)) -> "Party":
        """Return one whose certificate this one issued."""
        return make(self.folder.parent / f"{name}-{len(list(self.folder.parent.iterdir()))}", name, begin, end, self)

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / "it.crt", self.folder / "it.key"


def make(folder: Path, name: str, begin: datetime, end: datetime, issuer: Party | None = None) -> Party:
    """Make a key and a certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key if issuer is None else issuer.key, hashes.SHA256())
    )
    folder.mkdir(parents=True)
    party = Party(key, certificate, folder)
    party.files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    party.files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return party


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Party:
    root = tmp_path_factory.mktemp("authority")
    return make(root / "authority", "meadow", NOW - timedelta(2), NOW + timedelta(2))


@contextmanager
def server(shown: Party | None, trusts: Party | None = None) -> Iterator[int]:
    """Listen on loopback with a certificate, asking for one that ``trusts`` issued; without one, speak no TLS."""
    context = None
    if shown is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*shown.files)
        if trusts is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(trusts.files[0])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listening.accept()
                except OSError:
                    return
                with raw:
                    try:
                        if context is None:
                            raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                            continue
                        with context.wrap_socket(raw, server_side=True) as wrapped:
                            wrapped.recv(100)
                            wrapped.sendall(b"\0")
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def member(root: Path, authority: Party, issuer: Party | None = None) -> Home:
    """Return a home whose site joined the authority's federation, with a certificate of ``issuer``."""
    home = find_home(root / "home")
    SiteFolder(home.sites / "ant").prepare()
    write_json(home.sites / "ant" / "site.json", {"site": "ant", "host": "localhost", "port": 8002})
    startup = home.sites / "ant" / "kit" / "startup"
    startup.mkdir(parents=True)
    own = (issuer or authority).issue("ant")
    (startup / "client.crt").write_bytes(own.files[0].read_bytes())
    (startup / "client.key").write_bytes(own.files[1].read_bytes())
    (startup / "rootCA.pem").write_bytes(authority.files[0].read_bytes())
    return home


def told(found: HubChecked) -> str:
    """Return what the last check said."""
    return found.checks[-1].told


def test_a_hub_that_answers_passes_every_check(tmp_path: Path, authority: Party) -> None:
    home = member(tmp_path, authority)
    with server(authority.issue("localhost"), authority) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.ok and found.failed is None
    assert [one.check for one in found.checks] == list(CHECKS)


def test_a_name_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = check_hub(find_home(tmp_path), "no-such-hub.invalid:8002")
    assert found.failed == "name" and "no-such-hub.invalid" in told(found)


def test_a_port_where_nobody_listens_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert check_hub(find_home(tmp_path), f"127.0.0.1:{port}").failed == "port"


def test_a_server_without_tls_is_named(tmp_path: Path) -> None:
    with server(None) as port:
        assert check_hub(find_home(tmp_path), f"localhost:{port}").failed == "tls"


def test_a_proxy_that_reads_along_is_named_with_who_it_says_it_is(tmp_path: Path, authority: Party) -> None:
    home = member(tmp_path, authority)
    proxy = make(tmp_path / "proxy" / "ca", "Corporate Proxy", NOW - timedelta(1), NOW + timedelta(1))
    with server(proxy.issue("localhost")) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.failed == "interception" and "Corporate Proxy" in told(found)


def test_an_authority_of_the_same_name_with_another_key_is_not_taken_for_it(tmp_path: Path, authority: Party) -> None:
    home = member(tmp_path, authority)
    other = make(tmp_path / "other" / "ca", "meadow", NOW - timedelta(1), NOW + timedelta(1))
    with server(other.issue("localhost")) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.failed == "interception" and "did not sign it" in told(found)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [(1, 2, "clock is behind"), (-2, -1, "set the clock, or ask the hub")],
    ids=["not yet valid", "over"],
)
def test_a_clock_that_does_not_fit_the_certificate_is_named(
    tmp_path: Path, authority: Party, begin: int, end: int, said: str
) -> None:
    home = member(tmp_path, authority)
    shown = authority.issue("localhost", NOW + timedelta(hours=12 * begin), NOW + timedelta(hours=12 * end))
    with server(shown, authority) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.failed == "clock" and said in told(found)


def test_a_certificate_for_another_name_is_named(tmp_path: Path, authority: Party) -> None:
    home = member(tmp_path, authority)
    with server(authority.issue("hub.example.org"), authority) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.failed == "certificate" and "for hub.example.org, not for 'localhost'" in told(found)


def test_a_site_whose_certificate_the_hub_does_not_take_is_told_so(tmp_path: Path, authority: Party) -> None:
    stranger = make(tmp_path / "stranger" / "ca", "elsewhere", NOW - timedelta(1), NOW + timedelta(1))
    home = member(tmp_path, authority, issuer=stranger)
    with server(authority.issue("localhost"), authority) as port:
        found = check_hub(home, f"localhost:{port}")
    assert found.failed == "certificate" and "does not accept" in told(found)


def test_before_joining_it_is_said_that_the_certificate_cannot_be_judged(tmp_path: Path, authority: Party) -> None:
    with server(authority.issue("localhost")) as port:
        found = check_hub(find_home(tmp_path), f"localhost:{port}")
    assert found.ok and "site join" in found.checks[3].told


@pytest.mark.parametrize("address", ["", "hub:0", "hub:70000", "hub:x", ":8002"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(FederationError, check=coded("not-an-address")):
        check_hub(find_home(tmp_path), address)
