"""A release holds shared prompts under the hub's signature; what a site gave that has left is superseded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fedprompt.adapting.settings import DEFAULT_SETTINGS
from fedprompt.errors import ExportError, FederationError, FedPromptError
from fedprompt.prompts.adapted import Adapted
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.exchange.pack import read_pack
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.leave import hub_leave
from fedprompt.workspace.hub.release import Released, hub_release
from fedprompt.workspace.json_file import read_json, write_json
from fedprompt.workspace.site.pull import keep_release, site_pull
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.workspace.exchange.test_release import federation, rewritten

pytestmark = pytest.mark.slow  # a whole federation

World = tuple[Home, Home, Path, Path, Released]
NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the hub, a site, its file, a release of what four sites tuned together and alone, and what it says."""
    root = tmp_path_factory.mktemp("packs")
    hub, site, data = federation(root, "hub", "{count: 2, alone: true, released: true}", NAMES)
    members = {name: {"state": "admitted", "since": "2026-12-01"} for name in NAMES}
    write_json(hub.path / "hub" / "members.json", members)
    (hub.path / "hub" / "kit-server").mkdir()
    with open_workspace(hub.path) as ws:
        found = hub_release(ws, out=root / "first.zip")
    return hub, site, data, root / "first.zip", found


def test_it_holds_the_common_prompt_each_donors_own_and_templates_that_others_can_ask(world: World) -> None:
    _, site, _, release, found = world
    assert found.members == {"template": 2, "federated": 1, "donor": 4} and found.superseded == ()
    with open_workspace(site.path) as ws:
        pack = read_pack(ws, release)
    assert pack.pack.id == found.pack and pack.vouched and pack.pack.donors == 4
    assert pack.pack.settings == DEFAULT_SETTINGS and pack.pack.curve == ()
    assert pack.pack.shares == pytest.approx((0.5, 0.5))
    # A tenth among the two templates; half of the rest is the common prompt's, the other half the four donors'.
    assert pack.pack.weights == pytest.approx((0.05, 0.05, 0.45, *[0.1125] * 4))
    own = [member for member in pack.pack.members if member.kind == "donor"]
    assert [(one.sites, one.mean, one.within) for one in own] == [(1, None, None)] * 4  # one site's score stays here
    assert "ant" not in json.dumps(pack.pack.model_dump(mode="json"))


def test_no_donor_is_named_beside_its_own_prompt(world: World, tmp_path: Path) -> None:
    *_, release, _ = world
    shutil.unpack_archive(release, tmp_path)
    for file in ("pack.json", "release.json", "bundle/bank.json", "bundle/README.md"):
        assert not any(f"`{name}`" in (text := (tmp_path / file).read_text()) or f'"{name}"' in text for name in NAMES)


def test_a_site_that_pulls_it_finds_the_pack_by_its_studys_name(world: World) -> None:
    _, site, data, release, found = world
    with open_workspace(site.path) as ws:
        pulled = site_pull(ws, data, file=release)
        assert (pulled.pack, pulled.pack_name, pulled.to_adapt) == (found.pack, "small", ())
        assert "fedprompt adapt --pack small" in pulled.sentence and pulled.results
        assert read_pack(ws, "small").pack.id == found.pack
        assert read_pack(ws, "small").study is not None


def receiver(world: World, path: Path) -> Home:
    """Return the home of a site that joined and has no study and no case."""
    _, site, *_ = world
    home = find_home(path)
    shutil.copytree(
        site.sites / "ant", home.sites / "ant", ignore=shutil.ignore_patterns("studies", "newest-*", "*.db")
    )
    return home


def test_a_site_that_only_receives_keeps_the_pack_without_a_case(world: World, tmp_path: Path) -> None:
    *_, release, found = world
    home = receiver(world, tmp_path / "home")
    with open_workspace(home.path) as ws:
        pulled = site_pull(ws, None, file=release)
        assert (pulled.pack, pulled.pack_name, pulled.results, pulled.run) == (found.pack, "small", (), None)
        assert read_pack(ws, "small").vouched and read_pack(ws, "small").study is None
        assert (home.path / "packs" / "small@meadow.zip").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda name, data: data + b" " if name == "pack.json" else data, "changed"),
        (lambda name, data: None if name == "pack.json" else data, "file-missing"),
        (
            lambda name, data: data.replace(b'"release 3"', b'"release 2"') if name == "release.json" else data,
            "not-well-formed",
        ),
        (lambda name, data: data.replace(b'"superseded": []', b'"superseded": ["g1:' + b"0" * 32 + b'"]'), "changed"),
    ],
    ids=["changed", "left out", "an older form", "something superseded"],
)
def test_a_pack_that_the_hub_did_not_sign_is_refused_at_a_site_and_elsewhere(
    world: World, tmp_path: Path, change: Callable[[str, bytes], bytes | None], code: str
) -> None:
    _, site, data, release, _ = world
    forged = rewritten(release, tmp_path / "forged.zip", change)
    for home in (site, find_home(tmp_path / "stranger")):  # one that joined, and one that knows no authority
        with open_workspace(home.path) as ws, pytest.raises(FedPromptError, check=coded(code)):
            read_pack(ws, forged)
    with open_workspace(site.path) as ws, pytest.raises(FedPromptError, check=coded(code)):
        site_pull(ws, data, file=forged)
    with open_workspace(tmp_path / "stranger") as ws:
        found = read_pack(ws, release)
        assert not found.vouched and found.release is not None


def test_when_a_donor_leaves_its_pack_is_superseded_and_sites_are_told(world: World, tmp_path: Path) -> None:
    hub, _, _, old, first = world
    home = receiver(world, tmp_path / "home")
    assert first.pack is not None
    with open_workspace(home.path) as ws:
        site_pull(ws, None, file=old)
        pack = read_pack(ws, "small")
        made = Adapted(pack.members, pack.pack.weights, pack.pack.labels, (0.0, 0.0))
        ws.bank.record_adapted(made, name="small@home", study=None, about={"pack": pack.pack.id})
    before = read_json(hub.path / "hub" / "members.json")
    assert before is not None
    try:
        assert hub_leave(hub, "dog", "revoked").packs == (first.pack,)
        with open_workspace(hub.path) as ws:
            second = hub_release(ws, out=tmp_path / "second.zip")
    finally:
        write_json(hub.path / "hub" / "members.json", before)
    assert second.superseded == (first.pack,) and second.pack != first.pack
    assert second.members == {"template": 2, "federated": 1, "donor": 3}
    assert len(second.notes) == 1 and "dog" in second.notes[0]  # the common prompt still holds what it gave
    with open_workspace(home.path) as ws:
        # The hub hands it over while 'site run' runs: from then on the old one is refused.
        path = keep_release(enrolled(home, None), (tmp_path / "second.zip").read_bytes())
        for reference in ("small", old):
            with pytest.raises((ExportError, FederationError), check=coded("superseded", "older-release")):
                read_pack(ws, reference)
        pulled = site_pull(ws, None)
        assert pulled.pack == second.pack and pulled.to_adapt == ("small@home",) and "small@home" in pulled.sentence
        assert read_pack(ws, "small").pack.id == second.pack
        older = site_pull(ws, None, file=old, number=first.number)
        assert older.pack_name is None and read_pack(ws, "small").pack.id == second.pack
        path.unlink()


def test_a_home_without_its_cases_is_told_what_to_do_with_a_release_that_shares_nothing(
    world: World, tmp_path: Path
) -> None:
    hub, _, _, release, _ = world

    def without(name: str, content: bytes) -> bytes | None:
        if name == "pack.json":
            return None
        if name != "release.json":
            return content
        from fedprompt.prompts.ids import canonical_json
        from fedprompt.workspace.keys import home_signer

        body = {k: v for k, v in json.loads(content).items() if k not in ("signature", "pack", "superseded")}
        body["fedprompt"] = "release 2"
        return json.dumps(
            {**body, "signature": home_signer(hub).sign(b"fedprompt release 1\n" + canonical_json(body)).hex()}
        ).encode()

    plain = rewritten(release, tmp_path / "plain.zip", without)
    with open_workspace(receiver(world, tmp_path / "home").path) as ws:
        with pytest.raises(FederationError, check=coded("nothing-shared")):
            site_pull(ws, None, file=plain)
        with pytest.raises(ExportError, check=coded("not-a-pack")):
            read_pack(ws, plain)
