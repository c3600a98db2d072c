"""A chat model's and a judge's replies: asked for once, paid for once, kept for their owner, never mixed."""

import stat
from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.chat.cost import Cost
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.bills.judge_bill import MOST
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.local.dry_run import dry_run
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.ranking.comparing import compare_scores
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import KEY, ChatServer, serve, write_models
from tests.coded import coded
from tests.workspace import chat_study
from tests.workspace.chat_study import GENERATE, files, number

pytestmark = pytest.mark.whole

server, ws = chat_study.server, chat_study.ws


def test_a_judge_elsewhere_is_in_the_ledger_before_it_is_asked(
    ws: Workspace, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = GENERATE.replace("scorers: [exact]", "scorers: [{name: judge, rubric: Polite}]")
    paths = files(tmp_path, judged)
    server.answer = lambda body: "Fine.\nScore: 4"
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:local")
    ledger = SiteFolder(ws.home.sites / OWN_SITE).ledger
    told = dry_run(ws, *paths, model="scripted")
    most = told.judge
    assert server.sent == [] and MOST in told.notes and (most.model, most.calls) == ("chat:local", 20)
    # Each reads a text of at most 5 tokens and writes at most 256.
    assert most.output_tokens == 20 * 256 and most.input_tokens > 20 * 5
    assert most.cost.amount == pytest.approx((most.input_tokens * 100 + most.output_tokens * 1000) / 1e6)
    first = score(ws, *paths, model="scripted")
    assert first.results[0].run.score.value == pytest.approx(0.8)  # 4 of 5 points
    # What was asked is paid for, and no more than was foretold.
    spent = first.judge
    assert (spent.model, spent.calls) == ("chat:local", len(server.sent)) and spent.cost.currency == "EUR"
    assert 0 < spent.tokens <= most.tokens and 0 < spent.cost.amount <= most.cost.amount
    # The same question is asked once: the shipped model writes some texts several times.
    asked = {sent.text for sent in server.sent}
    assert ledger.entries() == () and 1 < len(asked) == len(server.sent) <= 20
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    write_models(ws.home.path, "http://judge.example/v1", f'key = "{KEY}"')
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        score(ws, *paths, model="scripted")
    write_models(ws.home.path, "http://judge.example/v1", f'key = "{KEY}"', 'allow = ["http://judge.example"]')
    again = score(ws, *paths, model="scripted")
    assert again.cached == 20 and again.judge.calls == 0 and ledger.entries() == ()
    score(ws, *paths, model="scripted", anew=True)
    entries = ledger.entries()
    assert {(entry.decision, entry.message["host"]) for entry in entries} == {("call", "judge.example")}
    assert sum(entry.message["calls"] for entry in entries) == len(server.sent) - len(asked) == len(asked)


def test_a_second_run_of_a_chat_study_calls_nobody_and_pays_nothing(
    ws: Workspace, server: ChatServer, tmp_path: Path
) -> None:
    paths = files(tmp_path)
    first = score(ws, *paths)
    asked = len(server.sent)
    told = dry_run(ws, *paths)
    assert (told.take.calls, told.take.cached, told.take.cost.amount) == (0, 40, 0.0)
    server.trouble = lambda number, body: 500  # nobody is there
    again = score(ws, *paths)
    assert len(server.sent) == asked and (again.paid.calls, again.paid.cached, again.paid.tokens) == (0, 41, 0)
    assert again.paid.cost == Cost(0.0, "EUR")
    assert [entry.run.score for entry in again.results] == [entry.run.score for entry in first.results]
    assert ws.bank.run(first.run).study == ws.bank.run(again.run).study
    server.trouble = lambda number, body: None
    anew = score(ws, *paths, anew=True)
    assert (anew.paid.calls, anew.paid.cached) == (41, 0)


def test_a_run_that_was_stopped_goes_on_with_the_calls_that_it_lacks(
    ws: Workspace, server: ChatServer, tmp_path: Path
) -> None:
    paths = files(tmp_path)

    def stop(told: Progress) -> None:
        if told.stage == "score" and (told.done or 0) >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(ws, *paths, report=stop)
    before = len(server.sent)
    assert 13 <= before <= 13 + 2 * 4  # four calls at once may be on their way
    found = score(ws, *paths)
    # The question what the server can do is asked once more, since it is to be asked for more.
    assert len(server.sent) == 41 + 1 and found.paid.calls == 42 - before
    cases = [sent.text for sent in server.sent if number(sent.body) or "quixotry" in sent.text]
    assert len(cases) == len(set(cases)) == 40


def test_another_model_server_or_wording_is_asked_anew(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    paths = files(tmp_path, GENERATE)
    score(ws, *paths)
    assert len(server.sent) == 20
    files(tmp_path, GENERATE.replace("max_tokens: 5", "max_tokens: 6"))
    assert score(ws, *paths).paid.calls == 20
    files(tmp_path, GENERATE.replace("Say: {text}", "Tell: {text}"))
    assert score(ws, *paths).paid.calls == 20
    with serve() as other:
        write_models(ws.home.path, other.url)
        assert score(ws, *paths).paid.calls == len(other.sent) == 20
    write_models(ws.home.path, server.url)
    assert score(ws, *paths).paid.calls == 0


def test_answers_are_kept_in_the_sites_folder_for_its_owner_alone(
    ws: Workspace, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda body: "hippocampus"
    score(ws, *files(tmp_path, GENERATE))
    kept = ws.home.sites / OWN_SITE / "chat-replies.db"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    held = b"".join(path.read_bytes() for path in kept.parent.glob("chat-replies.db*"))
    # What was answered is there; what was asked, and the key, are not.
    assert b"hippocampus" in held and b"quixotry" not in held and b"127.0.0.1" not in held
    assert b"hippocampus" not in b"".join(path.read_bytes() for path in ws.home.path.glob("bank*"))


def test_a_judge_is_part_of_a_score_and_another_judge_is_never_compared_with_it(
    ws: Workspace, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = "templates: [{name: a, text: 'Say: {text}'}, {name: b, text: 'Tell: {text}'}]"
    rubric = GENERATE.replace("scorers: [exact]", "scorers: [{name: judge, rubric: Polite}]")
    paths = files(tmp_path, rubric.replace('templates: [{name: plain, text: "Say: {text}"}]', two))
    server.answer = lambda body: "Fine.\nScore: 4" if body["model"] == "tiny" else "Poor.\nScore: 1"
    write_models(ws.home.path, server.url, f'[chat.strict]\nmodel = "openai:strict"\nbase_url = "{server.url}"')
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:local")
    mild = score(ws, *paths, model="scripted")
    a, b = (entry.prompt for entry in mild.results)
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:strict")
    strict = score(ws, *paths, model="scripted")
    assert [one.results[0].run.score.value for one in (mild, strict)] == [pytest.approx(0.8), pytest.approx(0.2)]
    ids = {one.results[0].judged_by for one in (mild, strict)}
    assert len(ids) == 2 and all(str(id).startswith("j1:") for id in ids)
    # One study holds both; the ways tie, so the first by name is shown, whole and unmixed.
    shown = [prompt.by_site[OWN_SITE].value for prompt in compare_scores(ws, a, b).prompts]
    assert shown in ([pytest.approx(0.8)] * 2, [pytest.approx(0.2)] * 2)
