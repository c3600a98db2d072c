"""A release is taken only from the hub that admitted the site, unchanged; a site then sees what it scores at home."""

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ExportError, FederationError, FedPromptError
from fedprompt.prompts.ids import canonical_json
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.exchange.release import Opened, read_release
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.release import hub_release
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.site.pull import keep_release, site_pull
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.docs.test_commands import documented_keys
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.slow  # a whole federation, twice

HUB: dict[str, Any] = {
    "federation": "meadow",
    "host": "localhost",
    "port": 8002,
    "admin_port": 8003,
    "authority": "SHA256:" + ":".join(["AB"] * 32),
}


def make_authority(hub: Path, kit: Path) -> None:
    """Write an authority's key into a hub, and its certificate into a site's kit."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "meadow")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    ).sign(key, hashes.SHA256())
    (hub / "ca").mkdir(parents=True)
    (hub / "ca" / "rootCA.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (kit / "startup").mkdir(parents=True, exist_ok=True)
    (kit / "startup" / "rootCA.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def federation(
    root: Path, scores: str, rounds: str = "{count: 2}", names: Sequence[str] = ("ant", "bee")
) -> tuple[Home, Home, Path]:
    """Return a hub whose federation is finished, a site that accepted its study, and the site's file."""
    study = root / "study.yaml"
    text = TEXT.replace("min_cases: 10", f"min_cases: 10, scores: {scores}")
    study.write_text(text.replace("rounds: {count: 2}", f"rounds: {rounds}"), encoding="utf-8")
    files = {name: write_cases(root / f"{name}.csv", name) for name in names}
    hub, site = find_home(root / "hub"), find_home(root / "site")
    write_json(hub.path / "hub" / "hub.json", HUB)
    with open_workspace(hub.path) as ws:
        federate(ws, study, files, seed=1)
    SiteFolder(site.sites / "ant").prepare((hub.sites / "ant" / "site.key").read_bytes())
    write_json(site.sites / "ant" / "site.json", {"site": "ant", "org": "ant", **HUB})
    make_authority(hub.path / "hub", site.sites / "ant" / "kit")
    site_study_accept(site, study)
    return hub, site, files["ant"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home, Path, Path]:
    """Return the hub, the site, the site's file and a release."""
    root = tmp_path_factory.mktemp("release")
    hub, site, data = federation(root, "hub")
    with open_workspace(hub.path) as ws:
        found = hub_release(ws, out=root / "meadow.zip")
    assert found.per_site is False and found.sent == {}
    assert set(asdict(found)) == documented_keys("fedprompt hub release")
    return hub, site, data, root / "meadow.zip"


def test_a_site_scores_what_it_pulled_and_its_own_app_ranks_it(world: tuple[Home, Home, Path, Path]) -> None:
    hub, site, data, release = world
    with open_workspace(site.path) as ws:
        found = site_pull(ws, data, file=release)
        (study,) = ws.bank.studies()
        shown = ranking_page(ws, Filter(study=study.digest))
        row = ws.bank.prompt_row(found.prompts["federated"])
    with open_workspace(hub.path) as ws:
        (run,) = ws.bank.runs(kind="federate")
        assert run.result is not None and found.prompts == run.result["prompts"]
        told = {
            s.score.prompt: s.score.value
            for s in ws.bank.scores(run=run.id, split="validation")
            if s.site == "ant" and s.score.prompt == found.prompts["federated"]
        }
    here = {one.prompt: one.value for one in found.results}
    assert here[found.prompts["federated"]] == pytest.approx(told[found.prompts["federated"]])
    assert row.origin == "federated" and "on 20 validation cases of 'ant'" in found.sentence
    assert found.prompts["federated"] in str(shown)
    assert set(asdict(found)) == documented_keys("fedprompt site pull")


def test_another_sites_scores_are_in_a_release_only_if_the_study_says_so(
    world: tuple[Home, Home, Path, Path], tmp_path: Path
) -> None:
    def scores(path: Path) -> list[dict[str, float]]:
        with zipfile.ZipFile(path) as archive:
            return [one["reading"]["scores"] for one in json.loads(archive.read("bundle/bank.json"))["prompts"]]

    assert all(one == {} for one in scores(world[3]))
    hub, _, _ = federation(tmp_path, "sites")
    with open_workspace(hub.path) as ws:
        assert hub_release(ws, out=tmp_path / "all.zip").per_site is True
    assert all(set(one) == {"ant", "bee"} for one in scores(tmp_path / "all.zip"))


def rewritten(release: Path, out: Path, change: Callable[[str, bytes], bytes | None], **added: bytes) -> Path:
    """Write a release again with some of its files changed."""
    with zipfile.ZipFile(release) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in added.items():
            new.writestr(name, content)
    return out


def in_json(**changes: Any) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        return json.dumps({**json.loads(content), **changes}).encode() if name == "release.json" else content

    return change


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        (in_json(federation="marsh"), "other-federation", "'marsh'"),
        (in_json(key="ab" * 32), "made-by-others", ""),
        (in_json(made="2020-01-01"), "changed", ""),
        (in_json(number=2**40), "changed", ""),
        (in_json(fedprompt="release 1"), "not-well-formed", "release.json, number"),
        (in_json(note="hello"), "not-well-formed", "release.json, note"),
        (lambda name, content: content + b" " if name == "bundle/hashes.json" else content, "changed", ""),
        (lambda name, content: content + b" " if name == "bundle/bank.json" else content, "another-content", ""),
        (lambda name, content: None if name == "release.json" else content, "file-missing", "release.json"),
    ],
    ids=[
        "another federation",
        "another key",
        "altered",
        "another number",
        "no number",
        "extra field",
        "other hashes",
        "other prompts",
        "unsigned",
    ],
)
def test_a_release_that_the_hub_did_not_sign_is_refused_and_not_kept(
    world: tuple[Home, Home, Path, Path],
    tmp_path: Path,
    change: Callable[[str, bytes], bytes | None],
    code: str,
    names: str,
) -> None:
    _, site, data, release = world
    forged = rewritten(release, tmp_path / "forged.zip", change)
    with open_workspace(site.path) as ws, pytest.raises(FedPromptError, check=coded(code, names=names)):
        site_pull(ws, data, file=forged)
    with pytest.raises((FederationError, ExportError)):
        keep_release(enrolled(site, None), forged.read_bytes())
    assert not list((site.sites / "ant" / "releases").glob("*"))


def test_what_a_site_tuned_alone_to_compare_is_not_released(tmp_path: Path) -> None:
    hub, _, _ = federation(tmp_path, "hub", "{count: 2, alone: true}")
    with open_workspace(hub.path) as ws:
        (run,) = (row for row in ws.bank.runs(kind="federate"))
        assert run.result is not None and set(run.result["prompts"]) == {"manual", "federated", "alone"}
        released = hub_release(ws, out=tmp_path / "release.zip")
    assert released.prompts == {name: run.result["prompts"][name] for name in ("manual", "federated")}


def test_a_key_that_another_authority_vouches_for_is_refused(
    world: tuple[Home, Home, Path, Path], tmp_path: Path
) -> None:
    hub, site, data, _ = world
    mallory = find_home(tmp_path / "mallory")
    write_json(mallory.path / "hub" / "hub.json", HUB)
    make_authority(mallory.path / "hub", tmp_path / "kit")
    for name in ("bank.db", "bank.db-wal", "bank.db-shm"):
        if (hub.path / name).exists():
            (mallory.path / name).write_bytes((hub.path / name).read_bytes())
    with open_workspace(mallory.path) as ws:
        hub_release(ws, out=tmp_path / "mallory.zip")
    with open_workspace(site.path) as ws, pytest.raises(FederationError, check=coded("made-by-others")):
        site_pull(ws, data, file=tmp_path / "mallory.zip")


def test_what_the_hub_hands_over_is_kept_for_the_next_pull(world: tuple[Home, Home, Path, Path]) -> None:
    _, site, data, release = world
    with open_workspace(site.path) as ws:
        with pytest.raises(FederationError, match="'ant'", check=coded("no-release")):
            site_pull(ws, data)
        path = keep_release(enrolled(site, None), release.read_bytes())
        assert path.stat().st_mode & 0o077 == 0
        assert site_pull(ws, data).results
    path.unlink()


def test_an_old_release_is_neither_kept_nor_pulled_unless_its_number_is_named(
    world: tuple[Home, Home, Path, Path], tmp_path: Path
) -> None:
    hub, site, data, old = world
    with open_workspace(hub.path) as ws:
        newer = hub_release(ws, out=tmp_path / "newer.zip")
    where = enrolled(site, None)
    with open_workspace(site.path) as ws:
        keep_release(where, (tmp_path / "newer.zip").read_bytes())
        assert site_pull(ws, data).number == newer.number
        with pytest.raises(FederationError, match=f"number {newer.number} of", check=coded("older-release")) as refused:
            keep_release(where, old.read_bytes())
        assert refused.value.code == "older-release"
        with pytest.raises(FederationError, check=coded("older-release")) as refused:
            site_pull(ws, data, file=old)
        number = int(str(refused.value).rpartition("--number ")[2].strip("'"))
        assert site_pull(ws, data, file=old, number=number).number == number < newer.number
        assert site_pull(ws, data).number == newer.number
        with pytest.raises(FederationError, match=f"'ant'.* number {number} ", check=coded("no-release")) as refused:
            site_pull(ws, data, number=number)
        assert refused.value.code == "no-release"


def test_a_release_of_an_older_version_is_still_read(world: tuple[Home, Home, Path, Path], tmp_path: Path) -> None:
    hub, site, _, release = world

    def older(name: str, content: bytes) -> bytes | None:
        if name == "pack.json":
            return None
        if name != "release.json":
            return content
        body = {k: v for k, v in json.loads(content).items() if k not in unsigned}
        body["fedprompt"] = form
        signature = home_signer(hub).sign(b"fedprompt release 1\n" + canonical_json(body)).hex()
        return json.dumps({**body, "signature": signature, **more}).encode()

    def opened() -> Opened:
        path = rewritten(release, tmp_path / "old.zip", older)
        return read_release(path, federation="meadow", kit=site.sites / "ant" / "kit")

    form, unsigned, more = "release 2", {"signature", "pack", "superseded"}, {}
    assert opened().release.number > 0 and opened().pack is None
    for said in ({"pack": "ab" * 32}, {"superseded": ["g1:" + "0" * 32]}):
        more = said
        with pytest.raises(ExportError, check=coded("not-well-formed")):  # its signature says nothing of them
            opened()
    form, unsigned, more = "release 1", {*unsigned, "number"}, {}
    assert opened().release.number == 0
