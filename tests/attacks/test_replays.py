"""What was shown is swapped before it is used, or what was signed long ago is shown again as new."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ExportError, FederationError
from fedprompt.exports.archive import open_archive
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import EnrolledSite
from fedprompt.workspace.exchange.accepted_releases import accept_release, check_release
from fedprompt.workspace.exchange.release import Release
from fedprompt.workspace.home import find_home
from fedprompt.workspace.hub.admit import hub_admit
from fedprompt.workspace.hub.init import hub_init
from fedprompt.workspace.hub.invite import hub_invite
from fedprompt.workspace.hub.release import next_number
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.init import site_init
from fedprompt.workspace.site.join import site_join
from fedprompt.workspace.site.study import site_study_accept
from tests.coded import coded
from tests.scripted_sites import write_study


@pytest.mark.slow
def test_a_request_that_is_swapped_while_its_fingerprint_is_compared_is_not_signed(tmp_path: Path) -> None:
    hub, ant, mallory = (find_home(tmp_path / name) for name in ("hub", "ant", "mallory"))
    hub_init(hub, "meadow")
    invite = Path(hub_invite(hub, "ant", out=tmp_path / "ant.json").invite)
    asked = site_init(ant, invite, out=tmp_path / "ant.request.zip")
    swapped = site_init(mallory, invite, out=tmp_path / "mallory.request.zip")

    def compare(site: str, shown: str) -> bool:
        shutil.copyfile(swapped.request, asked.request)
        return shown == asked.fingerprint

    kit = Path(hub_admit(hub, Path(asked.request), confirm=compare, out=tmp_path / "ant.kit.zip").kit)
    with pytest.raises(FederationError):
        site_join(mallory, kit)
    assert site_join(ant, kit).site == "ant"


def test_a_study_is_read_once_to_be_shown_and_accepted(tmp_path: Path) -> None:
    home, study = find_home(tmp_path / "home"), write_study(tmp_path / "study.yaml")
    SiteFolder(home.sites / "ant").prepare()
    write_json(home.sites / "ant" / "site.json", {"site": "ant"})
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: Any) -> None:
        if watching and event == "open" and str(arguments[0]) == str(study):
            opened.append(event)

    sys.addaudithook(watch)  # it can't be taken away again
    site_study_accept(home, study)
    watching = False
    assert opened == ["open"]


def release(number: int, day: int = 1, version: str = "release 2", signature: str = "") -> Release:
    body = {
        "fedprompt": version,
        "federation": "meadow",
        "study": "s1:" + "0" * 32,
        "run": "r1:" + "0" * 32,
        "made": f"2026-01-{day:02}T00:00:00+00:00",
        "number": number,
        "prompts": {"manual": "p1:" + "0" * 32},
        "bundle": "ab" * 32,
        "key": "ab" * 32,
        "authority": "ab",
        "signature": signature or f"{number:08x}{day:02x}",
    }
    return Release.model_validate(body)


@pytest.fixture
def site(tmp_path: Path) -> EnrolledSite:
    folder = SiteFolder(tmp_path / "ant")
    folder.prepare()
    return EnrolledSite("ant", folder)


def accepted(site: EnrolledSite, one: Release, wanted: int | None = None) -> None:
    check_release(site, one, wanted)
    accept_release(site, one)


def test_an_old_release_that_is_shown_again_is_refused_with_what_to_say_to_take_it(site: EnrolledSite) -> None:
    accepted(site, release(7))
    accepted(site, release(9, day=2))
    accepted(site, release(9, day=2))  # the newest again
    with pytest.raises(FederationError, match=r"number 7 .*number 9 .*--number 7'", check=coded("older-release")):
        check_release(site, release(7))
    with pytest.raises(
        FederationError, match="number 9", check=coded("older-release")
    ):  # another one of the same number
        check_release(site, release(9, day=2, signature="ff"))
    accepted(site, release(7), wanted=7)
    with pytest.raises(FederationError, match="number 9", check=coded("older-release")):  # that took nothing back
        check_release(site, release(8, day=3))
    with pytest.raises(FederationError, match=r"number 7 .*number 8", check=coded("other-release")):
        check_release(site, release(7), wanted=8)
    accepted(site, release(10, day=3))


def test_releases_of_older_versions_are_told_apart_by_the_time_that_was_signed(site: EnrolledSite) -> None:
    accepted(site, release(0, day=1, version="release 1"))
    accepted(site, release(0, day=2, version="release 1"))
    with pytest.raises(FederationError, match="number 0 of 2026-01-02", check=coded("older-release")):
        check_release(site, release(0, day=1, version="release 1"))
    accepted(site, release(5, day=1))
    with pytest.raises(FederationError, match="number 5", check=coded("older-release")):
        check_release(site, release(0, day=30, version="release 1"))


def test_numbers_of_releases_rise_though_the_clock_goes_back_or_the_hub_comes_from_a_backup(tmp_path: Path) -> None:
    folder = HubFolder(find_home(tmp_path))
    write_json(folder.path / "hub.json", {"federation": "meadow"})
    yesterday = int(time.time()) - 86_400
    write_json(folder.path / "releases.json", {"number": yesterday})  # from a backup; releases went out since
    first, second = next_number(folder), next_number(folder)
    assert yesterday + 1 < first < second
    write_json(folder.path / "releases.json", {"number": 2**40})  # the clock was in a year far ahead
    assert next_number(folder) == 2**40 + 1


def test_a_file_that_changes_between_its_check_and_its_use_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "inner" / "prompt.txt"
    file.parent.mkdir()
    file.write_text("as it was checked")
    with open_archive(tmp_path) as archive:
        assert archive.read("inner/prompt.txt") == archive.under("inner").read("prompt.txt") == b"as it was checked"
        file.write_text("as it is used now")  # as long as it was
        with pytest.raises(ExportError, match=r"inner/prompt\.txt", check=coded("changed")):
            archive.under("inner").read("prompt.txt")
