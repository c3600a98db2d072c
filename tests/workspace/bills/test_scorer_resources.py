"""A machine gives scorers its encoder and the judge that its environment names, and loads neither unasked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import AssetError, ModelError, StudyError
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.models.chat.cost import Cost
from fedprompt.study.files import read_study
from fedprompt.workspace.bills.judge_bill import MOST, judge_bill
from fedprompt.workspace.bills.local_judge import FREE
from fedprompt.workspace.bills.scorer_resources import JUDGE, judge_name, judge_settings, scorer_resources
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

STUDY = """\
study: free
model: scripted
fields: [text]
answer: {type: generate, scorers: [SCORER], max_tokens: 8}
templates: [{name: t, text: "{text}:"}]
privacy: {min_cases: 5}
splits: {tune: 5, validation: 10, test: 5}
"""


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def write(folder: Path, scorer: str) -> tuple[Path, Path]:
    study, data = folder / "study.yaml", folder / "cases.csv"
    study.write_text(STUDY.replace("SCORER", scorer), encoding="utf-8")
    rows = [f"a {'good' if n % 2 else 'bad'} film number {n},{'good' if n % 2 else '7'}" for n in range(20)]
    data.write_text("\n".join(["text,answer", *rows]) + "\n", encoding="utf-8")
    return study, data


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JUDGE, raising=False)
    found = scorer_resources(tmp_path)
    assert found.judge is None and found.encoder is not None
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        found.encoder()
    monkeypatch.setenv(JUDGE, "chat:nobody")
    named = scorer_resources(tmp_path)
    assert named.judge is not None
    with pytest.raises(ModelError, match="nobody"):
        named.judge()


def test_a_study_of_free_text_is_scored_and_what_was_not_judged_is_told(ws: Workspace, tmp_path: Path) -> None:
    study, data = write(tmp_path, "{name: numeric, negate: true}")
    (row,) = score(ws, study, data).results
    # Answers are a word or the number 7; the scripted model writes no number, so where it can be told, it is wrong.
    assert row.run.score.n + row.run.unscored == 10 and 0 < row.run.unscored < 10
    assert (row.run.score.metric, row.run.score.value) == ("score", 1.0)


@pytest.mark.parametrize(
    ("scorer", "code", "names"),
    [("judge", "does-not-fit", "study.yaml line 4, answer.scorers.0.rubric"), ("exakt", "does-not-fit", "'exact'")],
)
def test_what_is_wrong_with_a_scorer_is_told_before_a_word_is_written(
    ws: Workspace, tmp_path: Path, scorer: str, code: str, names: str
) -> None:
    study, data = write(tmp_path, scorer)
    with pytest.raises(StudyError, check=coded(code, names=names)):
        score(ws, study, data)


def test_a_chosen_judge_stands_before_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JUDGE, "chat:nobody")
    assert (judge_name(), judge_name("scripted")) == ("chat:nobody", "scripted")
    found = judge_settings(tmp_path, "scripted")
    assert found is not None and (found.price, found.remote, found.host) == (FREE, False, None)


def test_a_model_of_this_machine_judges_for_nothing_and_its_answers_are_counted(ws: Workspace, tmp_path: Path) -> None:
    study, data = write(tmp_path, '{name: judge, rubric: "Is it civil?"}')
    found = score(ws, study, data, judge="scripted")
    assert found.judge is not None and found.judge.model == "scripted"
    assert found.judge.calls > 0 and found.judge.tokens > 0 and found.judge.cost == Cost(0.0, "USD")
    bill = judge_bill(ws.home.path, read_study(study, complete_scorers), [(1, [])], "scripted")
    assert bill is not None and (bill.model, bill.calls, bill.notes) == ("scripted", 0, (MOST,))
