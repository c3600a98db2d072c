"""What a judge took is told wherever it is asked: in the playground, at a site that answers a hub, before it does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.cli.main import main
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.models.chat.cost import Cost
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.site.folder import SiteFolder
from fedprompt.verbs.score import ScoreTask
from fedprompt.verbs.wire import pack_task
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.playground.trial_files import TrialFolder, owner_folder
from fedprompt.workspace.playground.trials import TrialRequest, read_trial, run_trial
from fedprompt.workspace.site.pause import site_status
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import ChatServer, serve, write_models
from tests.new_bank import new_workspace
from tests.scripted_sites import write_cases
from tests.workspace.chat_study import GENERATE
from tests.workspace.site.test_site_actions import ABOUT

pytestmark = pytest.mark.whole

RUN = "ab" * 16
STUDY = GENERATE.replace("scorers: [exact]", "scorers: [{name: judge, rubric: Polite}]").replace(
    "chat:local", "scripted"
)
PRICE = "price = {input = 100.0, output = 1000.0, currency = 'EUR'}"
SAID = "It is civil.\nScore: 4"  # five words


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:local")
    with serve(lambda body: SAID) as state:
        write_models(tmp_path / "home", state.url, PRICE)
        yield state


@pytest.fixture
def ws(tmp_path: Path, server: ChatServer) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


@pytest.fixture
def folder(ws: Workspace) -> TrialFolder:
    return owner_folder(ws.home, "")


def words(server: ChatServer) -> int:
    """Return how many tokens the server counted of what it read: its words."""
    return sum(len(sent.text.split()) for sent in server.sent)


def trial(rows: int, **more: Any) -> dict[str, Any]:
    template = Template("plain", text="{text}\nMood:").canonical()
    variants = [{"template": template, "labels": ["positive", "negative"], "model": "scripted"}]
    checks = [{"scorer": {"name": "judge", "options": {"rubric": "Polite"}}}, {"scorer": "contains"}]
    body = {"variants": variants, "rows": [{"text": f"quixotry {n}"} for n in range(rows)], "checks": checks, **more}
    return TrialRequest.parse(body).model_dump(mode="json")


def test_a_run_of_the_playground_tells_what_judging_took_answer_by_answer(
    ws: Workspace, folder: TrialFolder, server: ChatServer
) -> None:
    folder.add(RUN, trial(3))
    (told,) = run_trial(ws, folder, RUN).judges
    found = read_trial(folder, RUN)
    assert all(cell.judged[0].passed for cell in found.cells.values()) and len(server.sent) == 3
    for cell in found.cells.values():
        took = cell.judging["chat:local"]
        assert (took.calls, took.output_tokens) == (1, 5) and took.input_tokens > 20
    whole = found.judging["chat:local"]
    assert (whole.calls, whole.input_tokens, whole.output_tokens) == (3, words(server), 15)
    # At 100 and 1000 EUR a million tokens.
    cost = (words(server) * 100 + 15 * 1000) / 1e6
    assert whole.amounts == {"EUR": pytest.approx(cost)}
    assert (told.model, told.calls, told.tokens) == ("chat:local", 3, whole.tokens)
    assert told.cost == Cost(pytest.approx(cost, abs=1e-6), "EUR")
    assert "quixotry" not in json.dumps(as_json(told))


def test_going_on_adds_what_is_judged_now_and_a_call_that_failed_is_counted(
    ws: Workspace, folder: TrialFolder, server: ChatServer
) -> None:
    server.trouble = lambda number, body: 400 if number == 2 else None
    folder.add(RUN, trial(2))
    run_trial(ws, folder, RUN)
    whole = read_trial(folder, RUN).judging["chat:local"]
    assert (whole.calls, whole.failed, whole.output_tokens) == (2, {"request refused": 1}, 5)
    # What has an answer is not judged again, so that nothing is paid for or counted twice.
    assert run_trial(ws, folder, RUN).judges == ()
    assert read_trial(folder, RUN).judging["chat:local"] == whole


def test_without_a_judge_nothing_is_told_of_one(ws: Workspace, folder: TrialFolder, server: ChatServer) -> None:
    folder.add(RUN, trial(1, checks=[{"scorer": "contains"}]))
    assert run_trial(ws, folder, RUN).judges == () and read_trial(folder, RUN).judging == {}
    assert server.sent == []


@pytest.fixture
def site(tmp_path: Path, server: ChatServer) -> Home:
    """Return the home of the site 'ant', which accepted the study."""
    found = find_home(tmp_path / "home")
    SiteFolder(found.sites / "ant").prepare(b"a" * 32)
    write_json(found.sites / "ant" / "site.json", ABOUT)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY + "privacy: {min_cases: 10}\n", encoding="utf-8")
    site_study_accept(found, study)
    return found


def answer(home: Home, data: Path) -> bytes:
    """Let the worker of ``site run`` score the study's template; return what leaves."""
    chosen = enrolled(home, None)
    accepted = chosen.the_study(None)
    worker = open_worker(home, chosen, accepted, data, BY_NAME)
    prompts = tuple(Prompt(template).id for template in accepted.study.candidates())
    return worker.handle(pack_task(ScoreTask(task="t1:" + "0" * 32, study=worker.digest, prompts=prompts), {})).data


def test_a_site_knows_what_judging_for_a_hub_took_and_the_hub_does_not(
    site: Home, server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_cases(tmp_path / "a.csv", "a")
    left = answer(site, data)
    (study,) = site_status(site).studies
    (judge,) = study.judges
    asked = len(server.sent)
    assert (judge.model, judge.calls, judge.output_tokens) == ("chat:local", asked, 5 * asked) and asked > 1
    assert judge.input_tokens == words(server) and judge.notes == ()
    cost = (words(server) * 100 + 5 * asked * 1000) / 1e6
    assert judge.cost == Cost(pytest.approx(cost, abs=1e-6), "EUR")
    # The worker that comes after adds to the bill; what was answered before is known and costs nothing.
    answer(site, data)
    (after,) = site_status(site).studies[0].judges
    assert len(server.sent) == asked and (after.calls, after.cost) == (asked, judge.cost)
    bill = (site.sites / "ant" / "calls.jsonl").read_text(encoding="utf-8")
    assert not any(word in bill for word in ("quixotry", "zymurgy", "civil", "Polite", server.url))
    assert b"EUR" not in left and b"chat:local" not in left
    assert main(["site", "status", "--home", str(site.path)]) == 0
    assert f"the judge (chat:local): {asked} calls, {judge.tokens:,} tokens, cost {cost:,.4f} EUR" in (
        capsys.readouterr().out
    )


def test_a_rehearsal_tells_what_its_judging_took(site: Home, server: ChatServer, tmp_path: Path) -> None:
    found = site_rehearse(site, write_cases(tmp_path / "a.csv", "a"))
    assert found.judge is not None and found.judge.calls == len(server.sent) > 0
    assert found.judge.cost is not None and found.judge.cost.currency == "EUR"
    assert "quixotry" not in json.dumps(as_json(found))
