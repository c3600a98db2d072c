"""What a federation would take is told by site before it is begun, and the bytes are those that then travel."""

from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases, write_study

pytestmark = pytest.mark.whole

SITES = ("bank", "clinic")


def test_a_forecast_sends_nothing_and_foretells_the_bytes(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s.yaml")
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in SITES}
    with new_workspace(tmp_path / "home") as ws:
        found = forecast(ws, study, dict(files))
        assert tuple(found.sites) == SITES and found.rounds == 2 and found.basis == "measured"
        # The scripted model may take less than the hundredth of a second that is told.
        assert all(one.cases == 80 and one.seconds is not None for one in found.sites.values())
        assert not ws.bank.runs() and not list(ws.home.sites.glob("*"))
        federate(ws, study, files)
        for name in SITES:
            left = sum(entry.size for entry in SiteFolder(ws.home.sites / name).ledger.entries())
            # Comparisons and the sizes of splits are not foretold, and digits of numbers differ.
            assert 0.7 < found.sites[name].received / left < 1.2
        again = forecast(ws, study, dict(files))
        assert again.basis == "earlier rounds" and again.received == found.received


def test_a_site_whose_file_lies_elsewhere_is_not_guessed_at(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        found = forecast(ws, write_study(tmp_path / "s.yaml"), {"bank": None, "clinic": None})
    assert found.basis == "not known" and found.seconds is None and found.sites["bank"].sent > 0


def test_too_few_sites_are_told_before_any_work(tmp_path: Path) -> None:
    study = tmp_path / "s.yaml"
    study.write_text(TEXT.replace("{count: 2}\nprivacy", "{count: 2, strategy: {name: multi-krum}}\nprivacy"))
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in SITES}
    with new_workspace(tmp_path / "home") as ws:
        for begin in (lambda: forecast(ws, study, dict(files)), lambda: federate(ws, study, files)):
            with pytest.raises(FederationError, match=r"'multi-krum'.*5.*2", check=coded("too-few-sites")):
                begin()


def test_resume_begins_no_run(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s.yaml")
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in SITES}
    with new_workspace(tmp_path / "home") as ws:
        with pytest.raises(FederationError, check=coded("nothing-to-resume")):
            federate(ws, study, files, resume=True)
        assert not ws.bank.runs()
        whole = federate(ws, study, files)
        assert federate(ws, study, files, resume=True) == whole


def test_groups_choices_and_steps_without_rounds_are_foretold_too(tmp_path: Path) -> None:
    study = tmp_path / "s.yaml"
    found = {}
    with new_workspace(tmp_path / "home") as ws:
        for name, more in (
            ("plain", ""),
            ("groups", ", groups: {rounds: 2, by: templates}"),
            ("groups by updates", ", groups: {rounds: 2}"),
            ("personal", ", personal: {}"),
            ("buffered", ", strategy: {name: fedbuff, options: {buffer: 2}}"),
        ):
            study.write_text(TEXT.replace("{count: 2}\nprivacy", f"{{count: 2{more}}}\nprivacy"))
            found[name] = forecast(ws, study, {"bank": None, "clinic": None})
    assert found["plain"].sent < found["groups"].sent < found["groups by updates"].sent
    assert found["plain"].received < found["personal"].received < found["groups"].received
    # Two steps of two updates among two sites are two updates each, as in two rounds.
    assert abs(found["buffered"].sent - found["plain"].sent) < 100
