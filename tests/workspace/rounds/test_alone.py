"""A federation whose study asks for it also has each site tune alone: the transfer matrix, and what joining gained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import StudyError
from fedprompt.site.folder import SiteFolder
from fedprompt.study.files import parse_study
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.ranking.study_best import bests_of_studies
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.whole

SITES = ("bank", "clinic", "court")
ASKED = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, quorum: 3, alone: true}")
Done = tuple[Workspace, FederatedResult]


def prepare(path: Path, text: str = ASKED) -> tuple[Path, dict[str, Path]]:
    """Write a study and files; the sites' keys are fixed, so that two homes agree."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "s.yaml").write_text(text, encoding="utf-8")
    for name in SITES:
        SiteFolder(path / "home" / "sites" / name).prepare(name.encode().ljust(32, b"."))
    return path / "s.yaml", {name: write_cases(path / f"{name}.csv", name) for name in SITES}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("alone")
    study, files = prepare(path)
    with open_workspace(path / "home") as ws:
        yield ws, federate(ws, study, files)


def test_every_sites_own_prompt_is_scored_at_every_site(done: Done) -> None:
    _, found = done
    assert {home: tuple(row) for home, row in found.transfer.items()} == dict.fromkeys(SITES, SITES)
    assert set(found.test) == {"manual", "federated", "local_own", "local_only", "kept"}
    own = found.test["local_own"]
    assert own.by_site == {site: found.transfer[site][site] for site in SITES}
    for home in SITES:
        mean = sum(found.transfer[home].values()) / 3
        assert found.test["local_only"].by_site[home] == pytest.approx(mean)


def test_each_site_takes_as_many_steps_alone_from_the_same_start(done: Done) -> None:
    ws, found = done
    for site in SITES:
        rows = ws.bank.rounds(f"{found.run}/alone/{site}")
        assert [row.number for row in rows] == [1, 2] and all(set(row.body["by_site"]) == {site} for row in rows)
        best = max(rows, key=lambda row: (row.body["mean"], -row.number))
        assert found.prompts.alone[site] == best.prompt
        assert ws.bank.prompt_row(best.prompt).origin == f"local:{site}"
    assert ws.bank.verify() == ()


def test_the_gain_of_each_site_has_an_interval_and_a_sentence(done: Done) -> None:
    ws, found = done
    for name in ("federated_vs_local_own", "kept_vs_local_own", "kept_vs_manual", "federated_vs_manual"):
        difference = found.differences[name]
        first, second = name.split("_vs_")
        gap = found.test[first].mean - found.test[second].mean
        assert difference.difference == pytest.approx(gap) and set(difference.by_site) == set(SITES)
        assert difference.low <= difference.difference <= difference.high
    view = overview(ws)
    assert [gain.site for gain in view.gains] == list(SITES)
    assert all(gain.site in gain.sentence and gain.sentence in found.sentences for gain in view.gains)
    assert view.transfer == found.transfer and view.headline == found.sentences[0]
    (best,) = bests_of_studies(ws)
    if best.best.id == found.prompts.federated:
        assert best.over_alone is not None and set(best.over_alone) == set(SITES)


def test_a_site_keeps_what_its_own_validation_cases_prefer(done: Done) -> None:
    ws, found = done
    best = next(row for row in found.rounds if row.prompt == found.prompts.federated)
    manual = next(row for row in found.templates if row.prompt == found.prompts.manual)
    for site, kept in found.kept.items():
        own = next(
            row for row in ws.bank.rounds(f"{found.run}/alone/{site}") if row.prompt == found.prompts.alone[site]
        )
        values = {
            "local_own": own.body["by_site"][site],
            "federated": best.by_site[site],
            "manual": manual.by_site[site],
        }
        assert values[kept] == max(values.values())
        assert found.test["kept"].by_site[site] == found.test[kept].by_site[site]


def test_without_the_comparison_the_rest_is_there_and_the_study_is_another(done: Done, tmp_path: Path) -> None:
    study, files = prepare(tmp_path, ASKED.replace(", alone: true", ""))
    with open_workspace(tmp_path / "home") as ws:
        plain = federate(ws, study, files)
    assert plain.transfer is None and plain.test["manual"] == done[1].test["manual"]
    # Another study is another order of cases, so another prompt, from the same start in as many steps.
    assert plain.prompts.federated != done[1].prompts.federated
    assert len(plain.rounds) == len(done[1].rounds)


@pytest.mark.parametrize("stop", ["clinic alone, step 2", "court evaluates the nominated"])
def test_a_run_that_stopped_while_sites_tuned_alone_ends_the_same(done: Done, tmp_path: Path, stop: str) -> None:
    study, files = prepare(tmp_path)

    def report(progress: Progress) -> None:
        if stop in progress.message:
            raise KeyboardInterrupt

    with open_workspace(tmp_path / "home") as ws:
        with pytest.raises(KeyboardInterrupt):
            federate(ws, study, files, report=report)
        again = federate(ws, study, files, resume=True)
    for part in ("transfer", "kept", "test", "differences", "sentences", "prompts"):
        assert getattr(again, part) == getattr(done[1], part)


def test_tuning_alone_is_foretold(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        study, _ = prepare(tmp_path / "with")
        more = forecast(ws, study, {"bank": None, "clinic": None, "court": None})
        study, _ = prepare(tmp_path / "without", ASKED.replace(", alone: true", ""))
        less = forecast(ws, study, {"bank": None, "clinic": None, "court": None})
    # Two rounds alone are as long as the two rounds together.
    assert more.sent > 1.5 * less.sent and more.received > less.received


def test_what_is_tuned_alone_cannot_both_stay_at_the_site_and_be_scored_elsewhere() -> None:
    with pytest.raises(StudyError, match=r"rounds\.alone.*'personal'", check=coded("does-not-fit")):
        parse_study(ASKED.replace("alone: true", "alone: true, personal: {}"))


def test_what_is_tuned_alone_is_released_only_where_it_is_tuned() -> None:
    asked = parse_study(ASKED.replace("alone: true", "alone: true, released: true"))
    assert asked.rounds.released and not asked.alone().rounds.released
    with pytest.raises(StudyError, match=r"rounds\.released: .*'alone: true'"):
        parse_study(ASKED.replace("alone: true", "released: true"))
    plain = parse_study(ASKED)
    assert "released" not in plain.model_dump(mode="json")["rounds"]  # so that its digest stays as it was
    with pytest.raises(StudyError, match=r"rounds\.alone.*'alone'", check=coded("does-not-fit")):
        parse_study("\n".join(line for line in ASKED.splitlines() if not line.startswith("soft:")))


def test_a_study_that_does_not_ask_for_it_has_the_digest_that_it_had() -> None:
    plain = parse_study(ASKED.replace(", alone: true", ""))
    assert "alone" not in plain.model_dump(mode="json")["rounds"]
    assert plain.digest("m") != parse_study(ASKED).digest("m")
