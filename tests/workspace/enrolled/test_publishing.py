"""A site's template leaves only when its operator has read it, and a hub takes it only from who signed it."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fedprompt.auditing.repeated import repeated
from fedprompt.errors import FederationError
from fedprompt.evaluation.cases import Case
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.take import hub_take
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.publish import Shown, site_publish
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.docs.test_commands import documented_keys
from tests.scripted_sites import write_cases, write_study

pytestmark = pytest.mark.whole

HUB = {"federation": "meadow", "host": "localhost", "port": 8002, "admin_port": 8003, "authority": "SHA256:AB"}
OWN = Template("ours", text="Read this note with care: {text}\nMood:", words={"positive": " up", "negative": " down"})


@cache
def _key(number: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def enrol(hub: Home, site: Home, name: str = "ant") -> None:
    """Write an authority into a hub and a certificate that it signed into a site's kit."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    now, pem = datetime.now(UTC), serialization.Encoding.PEM
    keys = [_key(n) for n in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in ("meadow", name)]
    issued = [
        x509.CertificateBuilder(
            names[0], names[n], keys[n].public_key(), x509.random_serial_number(), now, now + timedelta(1)
        ).sign(keys[0], hashes.SHA256())
        for n in range(2)
    ]
    ca, startup = hub.path / "hub" / "ca", site.sites / "ant" / "kit" / "startup"
    ca.mkdir(parents=True)
    startup.mkdir(parents=True, exist_ok=True)
    (ca / "rootCA.pem").write_bytes(issued[0].public_bytes(pem))
    (startup / "rootCA.pem").write_bytes(issued[0].public_bytes(pem))
    (startup / "client.crt").write_bytes(issued[1].public_bytes(pem))
    (startup / "client.key").write_bytes(
        keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    write_json(hub.path / "hub" / "hub.json", HUB)
    HubFolder(hub).set_member("ant", state="admitted")


@pytest.fixture
def world(tmp_path: Path) -> tuple[Home, Home, Path]:
    """Return a hub, a site with a template of its own in its bank, and the site's cases."""
    hub, site = find_home(tmp_path / "hub"), find_home(tmp_path / "site")
    SiteFolder(site.sites / "ant").prepare()
    write_json(site.sites / "ant" / "site.json", {"site": "ant", "org": "ant", **HUB})
    enrol(hub, site)
    site_study_accept(site, write_study(tmp_path / "study.yaml"))
    with open_workspace(site.path) as ws:
        ws.bank.record_prompt(Prompt(OWN), study=None, origin="playground")
    return hub, site, write_cases(tmp_path / "ant.csv", "ant")


def publish(site: Home, data: Path, out: Path, answer: bool = True) -> tuple[Path, list[Shown]]:
    heard: list[Shown] = []
    with open_workspace(site.path) as ws:
        found = site_publish(ws, Prompt(OWN).id, data, confirm=lambda shown: heard.append(shown) or answer, out=out)
    assert set(asdict(found)) == documented_keys("fedprompt site publish")
    return out, heard


def test_a_published_template_is_in_the_ledger_and_reaches_the_hubs_bank(
    world: tuple[Home, Home, Path], tmp_path: Path
) -> None:
    hub, site, data = world
    file, heard = publish(site, data, tmp_path / "ours.json")
    assert heard[0].text == OWN.text and heard[0].repeats == {}
    (entry,) = enrolled(site, None).folder.ledger.entries()
    assert entry.decision == "sent" and entry.message["template"]["text"] == OWN.text
    with open_workspace(hub.path) as ws:
        found = hub_take(ws, file)
        assert set(asdict(found)) == documented_keys("fedprompt hub take")
        assert ws.bank.prompt(found.prompt).template.text == OWN.text
        assert ws.bank.prompt_row(found.prompt).origin == "published:ant"


def test_what_is_not_confirmed_does_not_leave(world: tuple[Home, Home, Path], tmp_path: Path) -> None:
    _, site, data = world
    with pytest.raises(FederationError, check=coded("not-confirmed")):
        publish(site, data, tmp_path / "ours.json", answer=False)
    assert enrolled(site, None).folder.ledger.entries() == () and not (tmp_path / "ours.json").exists()


def test_eight_words_in_a_row_of_a_case_are_warned_of_and_seven_are_not() -> None:
    note = "Mrs Jones of Elm Street came in with a cough"
    case = Case({"text": f"On Monday {note}."}, "positive", line=7)
    seven, eight = (" ".join(note.split()[:count]) for count in (7, 8))
    assert repeated(Template("a", text=seven + " {text}"), [case]) == {}
    assert repeated(Template("a", text=eight.upper() + ": {text}"), [case]) == {eight.lower(): (7,)}
    split = eight.replace("Elm", "Elm {text}")
    assert repeated(Template("a", text=split), [case]) == {}


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        ({"site": "bee"}, "made-by-others", "'bee'"),
        ({"signature": "00" * 256}, "made-by-others", ""),
        ({"federation": "marsh"}, "other-federation", "'meadow'"),
        ({"reply": "00"}, "not-a-publication", ""),
        ({"note": "x"}, "not-a-publication", ""),
    ],
)
def test_a_hub_takes_nothing_that_was_changed(
    world: tuple[Home, Home, Path], tmp_path: Path, change: dict[str, str], code: str, names: str
) -> None:
    hub, site, data = world
    file, _ = publish(site, data, tmp_path / "ours.json")
    write_json(file, {**json.loads(file.read_text()), **change})
    with open_workspace(hub.path) as ws, pytest.raises(FederationError, check=coded(code, names=names)):
        hub_take(ws, file)


def test_a_hub_takes_nothing_from_a_site_that_it_sent_away(world: tuple[Home, Home, Path], tmp_path: Path) -> None:
    hub, site, data = world
    file, _ = publish(site, data, tmp_path / "ours.json")
    HubFolder(hub).set_member("ant", state="revoked")
    with open_workspace(hub.path) as ws, pytest.raises(FederationError, check=coded("made-by-others")):
        hub_take(ws, file)
