"""What a hub's operator does before a network is there: invite, send away, look."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.admit import hub_admit
from fedprompt.workspace.hub.init import hub_init
from fedprompt.workspace.hub.invite import hub_invite
from fedprompt.workspace.hub.leave import hub_leave
from fedprompt.workspace.hub.status import hub_status
from fedprompt.workspace.json_file import write_json
from tests.coded import coded
from tests.new_bank import new_workspace

ABOUT: dict[str, Any] = {
    "federation": "meadow",
    "host": "localhost",
    "port": 8002,
    "admin_port": 8003,
    "authority": "SHA256:" + ":".join(["AB"] * 32),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home that is a hub, its certificates left out."""
    found = find_home(tmp_path / "home")
    write_json(found.path / "hub" / "hub.json", ABOUT)
    return found


def request(path: Path, site: str, kind: str = "client") -> Path:
    """Write what looks like a request as far as its fingerprint goes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{site}.csr", f"key of {site}")
        archive.writestr("request.json", json.dumps({"cert_type": kind}))
    return path


def test_an_invitation_tells_where_and_whom_and_holds_no_secret(home: Home, tmp_path: Path) -> None:
    found = hub_invite(home, "ant", out=tmp_path / "ant.json")
    body = json.loads(Path(found.invite).read_text())
    assert {name: body[name] for name in ABOUT} == ABOUT and body["site"] == "ant"
    assert set(body) == {*ABOUT, "fedprompt", "site", "org"}
    with new_workspace(home.path) as ws:
        (site,) = hub_status(ws).sites
    assert (site.site, site.state, site.connected) == ("ant", "invited", None)


@pytest.mark.parametrize("name", ["", "../ant", "a b", "-ant", "a" * 61])
def test_a_name_that_cannot_be_a_folder_is_refused(home: Home, name: str) -> None:
    with pytest.raises(FederationError, check=coded("not-a-sites-name")):
        hub_invite(home, name)


def test_who_was_not_invited_or_reads_another_fingerprint_is_not_admitted(home: Home, tmp_path: Path) -> None:
    asked = request(tmp_path / "ant.zip", "ant")
    with pytest.raises(FederationError, match="'ant'", check=coded("not-invited")):
        hub_admit(home, asked, confirm=lambda *_: True)
    hub_invite(home, "ant", out=tmp_path / "ant.json")
    with pytest.raises(FederationError, check=coded("other-fingerprint")):
        hub_admit(home, asked, confirm=lambda *_: False)
    with pytest.raises(FederationError, check=coded("other-fingerprint")):
        hub_admit(home, asked, confirm=lambda *_: "0000 0000")
    assert HubFolder(home).sites() == ()


@pytest.mark.parametrize("kind", ["lead", "server", "", "a" * 90])
def test_a_request_for_more_than_a_sites_certificate_is_refused_before_anyone_is_asked(
    home: Home, tmp_path: Path, kind: str
) -> None:
    hub_invite(home, "ant", out=tmp_path / "ant.json")
    asked: list[str] = []
    with pytest.raises(FederationError, check=coded("not-a-request")):
        hub_admit(home, request(tmp_path / "ant.zip", "ant", kind), confirm=lambda site, _: bool(asked.append(site)))
    assert asked == [] and HubFolder(home).sites() == ()


def test_a_name_is_not_used_twice(home: Home, tmp_path: Path) -> None:
    hub_invite(home, "ant", out=tmp_path / "ant.json")
    HubFolder(home).set_member("ant", state="admitted", fingerprint="another key's")
    with pytest.raises(FederationError, check=coded("name-taken")):
        hub_invite(home, "ant", out=tmp_path / "ant.json")
    with pytest.raises(FederationError, match="'ant'", check=coded("name-taken")):
        hub_admit(home, request(tmp_path / "ant.zip", "ant"), confirm=lambda *_: True)


def test_a_site_that_was_sent_away_is_barred_where_the_engine_looks(home: Home, tmp_path: Path) -> None:
    for site in ("ant", "bee", "cat"):
        hub_invite(home, site, out=tmp_path / "invite.json")
        HubFolder(home).set_member(site, state="admitted")
    hub_leave(home, "ant", "revoked")
    hub_leave(home, "bee", "removed")
    assert HubFolder(home).sites() == ("cat",)
    barred = json.loads((home.path / "hub" / "kit-server" / "disabled_clients.json").read_text())
    assert barred == {"disabled_clients": ["ant", "bee"]}
    with pytest.raises(FederationError, match="'dog'", check=coded("unknown-site")):
        hub_leave(home, "dog", "revoked")


def test_what_is_no_request_is_refused(home: Home, tmp_path: Path) -> None:
    for name, data in (("a.zip", b"PK"), ("b.zip", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FederationError, check=coded("not-a-request")):
            hub_admit(home, tmp_path / name, confirm=lambda *_: True)
    with pytest.raises(FederationError, check=coded("not-a-request")):
        hub_admit(home, tmp_path / "none.zip", confirm=lambda *_: True)


def test_a_home_that_is_no_hub_or_one_already_says_so(home: Home, tmp_path: Path) -> None:
    with pytest.raises(FederationError, check=coded("not-a-hub")):
        hub_invite(find_home(tmp_path / "other"), "ant")
    with pytest.raises(FederationError, match="'meadow'", check=coded("hub-already")):
        hub_init(home, "field")
    with pytest.raises(FederationError, check=coded("hub-not-running")):
        running_hub(home)
