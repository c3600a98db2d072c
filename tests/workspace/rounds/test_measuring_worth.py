"""A federation whose study asks for it measures what joining is worth, from scoring to the curve."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.bank.store import Bank
from fedprompt.errors import StudyError
from fedprompt.site.exact_questions import case_sets
from fedprompt.site.folder import SiteFolder
from fedprompt.site.tally import Tally
from fedprompt.study.files import parse_study
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.results.worth import WorthResult
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.rounds.planned_questions import planned_questions, told_questions
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.coded import coded
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.whole

SITES = ("bank", "clinic", "court", "mill")
ALONE = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, alone: true, released: true}")
ASKED = ALONE + "worth: {n: [4, 16], draws: 3, folds: 2}\n"
Done = tuple[Workspace, FederatedResult, Path]


def prepare(path: Path, text: str = ASKED) -> tuple[Path, dict[str, Path]]:
    path.mkdir(parents=True, exist_ok=True)
    (path / "s.yaml").write_text(text, encoding="utf-8")
    for name in SITES:
        SiteFolder(path / "home" / "sites" / name).prepare(name.encode().ljust(32, b"."))
    return path / "s.yaml", {name: write_cases(path / f"{name}.csv", name) for name in SITES}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("worth")
    study, files = prepare(path)
    with open_workspace(path / "home") as ws:
        yield ws, federate(ws, study, files), path


def test_every_site_answers_for_each_number_of_cases_helped_by_the_others_alone(done: Done) -> None:
    ws, found, _ = done
    worth = found.worth
    assert worth is not None and worth.note is None
    assert worth.folds == (("bank", "court"), ("clinic", "mill"))
    assert [point.n for point in worth.curve] == [4, 16] and all(point.sites == 4 for point in worth.curve)
    assert [tuple(at.by_site) for at in worth.at] == [SITES, SITES] and all(not at.missing for at in worth.at)
    for number, fold in enumerate(worth.folds, 1):
        rows = ws.bank.rounds(f"{found.run}/fold/{number}")
        assert [row.number for row in rows] == [1, 2]
        assert all(set(row.body["tuned"]) == set(SITES) - set(fold) and not row.body["scores"] for row in rows)
        assert ws.bank.prompt_row(rows[-1].prompt).origin == f"fold:{number}"
    assert worth.settings is not None and [at.n for at in worth.settings.at] == [4, 16]
    assert len(worth.sentences) == 2 and ws.bank.verify() == ()
    assert from_json(WorthResult, as_json(worth)) == worth


def test_what_is_measured_is_charged_as_it_was_planned(done: Done) -> None:
    _, _, path = done
    planned = planned_questions(parse_study(ASKED), len(SITES))
    assert planned["tune"] == 2 * (2 + 3)  # two numbers of cases, two ways at home and three of sharing
    folder = SiteFolder(path / "home" / "sites" / "clinic")
    found = {one.split: one.asked for one in case_sets(Tally(folder.ledger, folder.replies), folder.replies)}
    assert found["tune"] == 10 and planned["validation"] // 2 < found["validation"] <= planned["validation"]
    assert "newcomer" in told_questions(parse_study(ASKED)) and "newcomer" not in told_questions(parse_study(TEXT))


@pytest.mark.parametrize("stop", ["without part 2 of the sites, round 2", "court answers as a newcomer with 16"])
def test_a_measurement_that_stopped_ends_the_same(done: Done, tmp_path: Path, stop: str) -> None:
    study, files = prepare(tmp_path)

    def report(progress: Progress) -> None:
        if stop in progress.message:
            raise KeyboardInterrupt

    with open_workspace(tmp_path / "home") as ws:
        with pytest.raises(KeyboardInterrupt):
            federate(ws, study, files, report=report)
        again = federate(ws, study, files, resume=True)
    assert again.worth == done[1].worth and again.test == done[1].test


def test_a_site_with_too_few_cases_is_listed_and_the_others_are_measured(done: Done, tmp_path: Path) -> None:
    study, files = prepare(tmp_path, ASKED.replace("n: [4, 16]", "n: [4, 31]"))
    with open_workspace(tmp_path / "home") as ws:
        found = federate(ws, study, files).worth
    assert found is not None and [point.n for point in found.curve] == [4]


def test_a_study_that_does_not_ask_for_it_has_the_digest_that_it_had() -> None:
    plain = parse_study(TEXT)
    assert "worth" not in plain.model_dump(mode="json") and plain.digest("m") != parse_study(ASKED).digest("m")


@pytest.mark.parametrize(
    ("was", "said", "reason"),
    [
        ("n: [4, 16]", "n: [16, 4]", r"worth.*rising"),
        ("n: [4, 16]", "n: []", r"worth\.n"),
        (
            "rounds: {count: 2, alone: true, released: true}",
            "rounds: {count: 2, strategy: {name: fedbuff}}",
            r"worth.*no rounds",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_where_the_study_is_read(was: str, said: str, reason: str) -> None:
    with pytest.raises(StudyError, match=reason):
        parse_study(ASKED.replace(was, said))


def test_without_a_soft_prompt_nothing_is_shared_that_could_be_measured(tmp_path: Path) -> None:
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith("soft:"))
    with pytest.raises(StudyError, match=r"worth.*'soft:'"):
        parse_study(text + "\nworth: {}\n")
    study, files = prepare(tmp_path, text)
    with open_workspace(tmp_path / "home") as ws, pytest.raises(StudyError, check=coded("does-not-fit")):
        federate(ws, study, files, worth=True)


def test_what_it_takes_is_foretold(tmp_path: Path) -> None:
    study, _ = prepare(tmp_path / "with")
    plain, _ = prepare(tmp_path / "without", ALONE)
    with open_workspace(tmp_path / "home") as ws:
        more, less = (forecast(ws, one, dict.fromkeys(SITES)) for one in (study, plain))
    assert more.sent > less.sent and more.received > less.received
    assert any("240 s" in note for note in more.notes)  # two numbers of cases, 120 s each


def test_the_bank_keeps_each_answer(done: Done) -> None:
    ws, found, _ = done
    bank: Bank = ws.bank
    kept = [name for name in bank.stages(found.run) if name.startswith("worth ")]
    assert len(kept) == 1 + 2 * len(SITES)
