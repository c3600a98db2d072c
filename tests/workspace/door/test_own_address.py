"""Hosts and origins are compared whole: the scheme, the name and the port."""

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.door.own_address import Addresses, addresses_of
from tests.coded import coded

HERE = ("127.0.0.1", 8501)
NOBODY = Addresses()


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "LOCALHOST:8501"])
def test_the_address_that_a_connection_arrived_at_is_ours(host: str) -> None:
    assert NOBODY.has_host(host, "http", HERE)
    assert NOBODY.has_origin(f"http://{host.lower()}", host, "http", HERE)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8501",  # a name that was led here
        "evil.example",
        "127.0.0.1",  # port 80 is another server
        "127.0.0.1:8502",
        "127.0.0.1:08501",
        "127.0.0.2:8501",
        "[::1]:8501",  # the connection did not arrive there
        "0.0.0.0:8501",
        "localhost.:8501",
        "localhost.evil.example:8501",
        "x@127.0.0.1:8501",
        "127.0.0.1:8501/",
        "2130706433:8501",  # 127.0.0.1 as one number
        "",
    ],
)
def test_no_other_host_is(host: str) -> None:
    assert not NOBODY.has_host(host, "http", HERE)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example:8501",
        "http://127.0.0.1:9999",
        "http://127.0.0.1",
        "https://127.0.0.1:8501",
        "http://localhost:8501",  # ours, but not of the page that asks under 127.0.0.1
        "http://127.0.0.1:8501/",
        "null",
        "file://",
        "chrome-extension://abcdefgh",
        "",
    ],
)
def test_no_other_origin_is(origin: str) -> None:
    assert not NOBODY.has_origin(origin, "127.0.0.1:8501", "http", HERE)


def test_an_origin_that_names_the_same_foreign_host_as_the_request_is_foreign() -> None:
    assert not NOBODY.has_origin("http://evil.example:8501", "evil.example:8501", "http", HERE)


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (("::1", 8501), "[::1]:8501"),
        (("::1", 8501), "localhost:8501"),
        (("::ffff:127.0.0.1", 8501), "127.0.0.1:8501"),  # a socket for both families says it so
        (("10.0.0.7", 8600), "10.0.0.7:8600"),
        (("fe80::1%eth0", 8600), "[fe80::1]:8600"),
        (("127.0.0.1", 80), "127.0.0.1"),
        (("127.0.0.1", 80), "localhost:80"),
    ],
)
def test_ipv6_mapped_addresses_and_the_schemes_own_port_are_known(server: tuple[str, int], host: str) -> None:
    assert NOBODY.has_host(host, "http", server)


@pytest.mark.parametrize("server", [("127.0.0.2", 8501), ("10.0.0.7", 8501)])
def test_localhost_is_not_every_address_of_this_machine(server: tuple[str, int]) -> None:
    assert not NOBODY.has_host("localhost:8501", "http", server)


@pytest.mark.parametrize("server", [None, ("/run/app.sock", None), ("testserver", 80)])
def test_a_connection_that_arrived_at_no_address_has_no_host_of_its_own(server: tuple[str, int | None] | None) -> None:
    assert not NOBODY.has_host("127.0.0.1:8501", "http", server)


def test_a_proxys_address_is_ours_once_it_is_named_with_its_own_port_written_or_not() -> None:
    named = addresses_of(["https://Prompts.Example.org", "http://localhost:9000", "http://[0:0::1]:9000"])
    assert named.origins == {"https://prompts.example.org", "http://localhost:9000", "http://[::1]:9000"}
    for host in ("prompts.example.org", "prompts.example.org:443", "localhost:9000", "[::1]:9000"):
        assert named.has_host(host, "http", HERE)
    assert not named.has_host("prompts.example.org:80", "http", HERE)
    # The proxy may keep the name that it was asked under, or write the one that it asks.
    for host in ("prompts.example.org", "127.0.0.1:8501"):
        assert named.has_origin("https://prompts.example.org", host, "http", HERE)
        assert not named.has_origin("http://prompts.example.org", host, "http", HERE)
        assert not named.has_origin("https://prompts.example.org:8443", host, "http", HERE)


@pytest.mark.parametrize(
    "text",
    [
        "prompts.example.org",
        "localhost:9000",
        "*",
        "https://*.example.org",
        "https://prompts.example.org/app",
        "https://prompts.example.org?x",
        "https://ada:pw@prompts.example.org",
        "ftp://prompts.example.org",
        "http://localhost:99999",
        "http://localhost:port",
        "https://",
        "http://[::1",
        "http://[v1.x]:80",
        "https://prömpts.example.org",
        "null",
        "",
    ],
)
def test_what_is_no_such_address_is_refused_by_the_option(text: str) -> None:
    with pytest.raises(FedPromptError, check=coded("not-an-address")):
        addresses_of([text])
