"""``score`` with a chat model over a real connection: numbers, money, what leaves and what is told."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import ModelError
from fedprompt.models.chat.cost import Cost
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.local.dry_run import dry_run
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.machine.doctor import doctor
from fedprompt.workspace.playground.trials import TrialCell
from fedprompt.workspace.ranking.comparing import compare_scores
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import KEY, ChatServer, write_models
from tests.coded import coded
from tests.scripted_sites import write_cases
from tests.workspace import chat_study
from tests.workspace.answered import answered
from tests.workspace.chat_study import GENERATE, files, number

pytestmark = pytest.mark.whole

server, ws = chat_study.server, chat_study.ws


def test_a_choice_by_likelihood_is_scored_counted_and_priced(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    found = score(ws, *files(tmp_path))
    assert [entry.method for entry in found.results] == ["likelihood", "likelihood"]
    # The lexicon's answer is right unless the word speaks against the label, as in every fifth case.
    assert all(0.5 < entry.run.score.value < 1 and entry.run.score.n == 20 for entry in found.results)
    # Two templates on 20 cases, and the question what the server can do.
    assert found.paid.calls == len(server.sent) == 41
    assert found.paid.output_tokens == 41 and found.paid.tokens == found.paid.input_tokens + 41
    cost = (100.0 * found.paid.input_tokens + 1000.0 * 41) / 1e6
    assert found.paid.cost == Cost(pytest.approx(cost, abs=1e-6), "EUR")
    rows = ws.bank.scores(run=found.run)
    assert [row.score.method for row in rows] == ["likelihood"] * 2 and rows[0].score.confusion
    assert not SiteFolder(ws.home.sites / OWN_SITE).ledger.entries()  # nothing left this machine


def test_a_server_without_likelihoods_is_asked_for_a_word(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    server.logprobs = False
    server.trouble = lambda count, body: 400 if count > 1 and number(body) % 10 == 3 else None
    server.answer = lambda body: "I will not say" if number(body) % 2 else "negative"
    found = score(ws, *files(tmp_path))
    assert [entry.method for entry in found.results] == ["constrained"] * 2
    for entry in found.results:
        # Ten of the twenty cases have an odd number, and case n stands in line n + 2.
        assert entry.unparsed + entry.failed["request refused"] == 10 and entry.run.score.n == 10 + entry.unparsed
        listed = found.unparsed_lines[entry.prompt]
        assert len(listed) == entry.unparsed > 0 and all(line % 2 and line % 10 != 5 for line in listed)
        assert entry.run.score.value == 0.0  # what is said is never right: an odd number is a negative case
    kept = ws.bank.run(found.run).result
    assert kept is not None and "unparsed_lines" not in kept and kept["results"] == as_json(found.results)


def test_free_text_is_written_and_judged(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda body: "positive\n\nor so"
    found = score(ws, *files(tmp_path, GENERATE))
    (entry,) = found.results
    assert (entry.run.score.metric, entry.method, entry.run.score.n, entry.unparsed) == ("score", None, 20, 0)
    # The text ends at the empty line, and is right where the case is positive, as those with an even number are.
    assert entry.run.score.value == sum(number(sent.body) % 2 == 0 for sent in server.sent) / 20


def test_without_a_price_or_a_count_the_cost_is_not_known(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    server.usage = False
    found = score(ws, *files(tmp_path, GENERATE))
    assert found.paid.cost is None and "did not count the tokens of 20 calls" in found.paid.notes[0]
    server.usage = True
    write_models(ws.home.path, server.url)
    assert "no price" in score(ws, *files(tmp_path, GENERATE)).paid.notes[0]


def test_a_dry_run_calls_nobody_and_bounds_the_cost(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    told = dry_run(ws, *files(tmp_path))
    assert server.sent == [] and not ws.bank.runs() and not ws.bank.studies()
    assert (told.take.calls, told.templates, told.cases, told.take.remote) == (41, 2, 20, False)
    server.logprobs = False  # the dearer way, which is the one that is told
    found = score(ws, *files(tmp_path))
    assert found.paid.calls == told.take.calls
    assert told.take.output_tokens >= found.paid.output_tokens and told.take.cost.amount >= found.paid.cost.amount


def test_a_dry_run_of_a_local_model_tells_tokens_and_seconds(ws: Workspace, tmp_path: Path) -> None:
    paths = files(tmp_path)
    told = dry_run(ws, *paths, model="scripted")
    found = score(ws, *paths, model="scripted")
    assert told.take.calls == 0 and told.take.cost is None and told.take.seconds >= 0
    assert told.take.tokens == pytest.approx(found.work.tokens, rel=0.1)  # eight cases stand for twenty
    assert not ws.bank.runs()[1:] and [entry.method for entry in found.results] == ["likelihood"] * 2


def test_a_host_elsewhere_needs_leave_and_is_in_the_ledger_before_the_first_case(
    ws: Workspace, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path)
    # A proxy stands for the way out, so that the host elsewhere need not be there.
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    write_models(ws.home.path, "http://models.example/v1", f'key = "{KEY}"')
    for refused in (score, dry_run):
        with pytest.raises(ModelError, check=coded("may-not-be-sent")):
            refused(ws, *paths)
    assert server.sent == []
    ledger = SiteFolder(ws.home.sites / OWN_SITE).ledger
    write_models(ws.home.path, "http://models.example/v1", f'key = "{KEY}"', 'allow = ["http://models.example"]')
    written: list[int] = []
    server.trouble = lambda number, body: written.append(len(ledger.entries()))
    found = score(ws, *paths)
    assert found.paid.calls == 41 and dry_run(ws, *paths).take.remote is True
    # The question holds no case; the cases come after the entry.
    assert written == [0] + [1] * 40
    (entry,) = ledger.entries()
    assert entry.decision == "call" and entry.study == ws.bank.run(found.run).study
    assert {key: entry.message[key] for key in ("host", "cases", "calls")} == {
        "host": "models.example",
        "cases": 20,
        "calls": 40,
    }
    assert entry.message["bytes"] == sum(
        len(str(message["content"]).encode()) for sent in server.sent[1:] for message in sent.body["messages"]
    )


def test_neither_key_nor_host_is_in_what_is_kept_or_printed(
    ws: Workspace, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    write_models(ws.home.path, "http://models.example/v1", f'key = "{KEY}"', 'allow = ["http://models.example"]')
    study, data = files(tmp_path)
    bad = f"{KEY} models.example"
    said = io.StringIO()
    arguments = ["score", "-S", str(study), "--data", str(data), "--home", str(ws.home.path)]
    with redirect_stdout(said), redirect_stderr(said):
        assert main(["--verbose", *arguments]) == 0
        server.trouble = lambda number, body: 401
        assert main(["--verbose", *arguments, "--no-cache"]) == 1
    ws.close()
    kept = b"".join(path.read_bytes() for path in ws.home.path.glob("bank*"))
    assert not any(word.encode() in kept for word in bad.split())
    assert KEY not in said.getvalue() and "quixotry" not in said.getvalue()
    assert "refuses the key" in said.getvalue()


def test_the_doctor_lists_names_and_hosts(ws: Workspace, server: ChatServer) -> None:
    text = f'key = "{KEY}"\n[chat.far]\nmodel = "openai:x"\nbase_url = "https://far.example/v1"'
    write_models(ws.home.path, server.url, text)
    found = doctor(ws.home.path).chat
    assert [(one.name, one.host, one.allowed) for one in found] == [
        ("chat:far", "far.example", False),
        ("chat:local", "127.0.0.1", True),
    ]
    told = json.dumps(as_json(found))
    assert KEY not in told and "/v1" not in told
    (ws.home.path / "models.toml").chmod(0o644)
    report = doctor(ws.home.path)
    assert report.chat is None and any("chmod 600" in sentence for sentence in report.missing)


def test_methods_never_share_a_ranking(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    paths = files(tmp_path)
    first = score(ws, *paths)
    server.logprobs = False
    second = score(ws, *paths, anew=True)
    studies = {ws.bank.run(found.run).study for found in (first, second)}
    assert len(studies) == 2  # another method is another study, so no ranking sees both
    for study in studies:
        assert [row.otherwise for row in ranking_page(ws, Filter(study=study)).rows] == [False, False]
    # And where one study holds both all the same, the others stand apart.
    study = ws.bank.run(second.run).study
    rows = ws.bank.scores(run=second.run)
    ws.bank.start_run("r1:" + "0" * 32, kind="score", study=study, settings={})
    ws.bank.record_scores("r1:" + "0" * 32, OWN_SITE, [rows[0].score.model_copy(update={"method": "likelihood"})])
    view = ranking_page(ws, Filter(study=study)).rows
    # One each: where they tie, likelihood is ranked.
    assert [row.id for row in view if row.mean is not None] == [rows[0].score.prompt]
    assert [row.id for row in view if row.otherwise] == [rows[1].score.prompt]


def test_a_comparison_shows_scores_of_one_method(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    paths = files(tmp_path)
    found = score(ws, *paths, model="scripted")
    server.logprobs = False
    score(ws, *paths)
    a, b = (entry.prompt for entry in found.results)
    shown = compare_scores(ws, a, b).prompts
    values = [one.by_site[OWN_SITE].value for one in shown]
    assert values == [entry.run.score.value for entry in found.results]


def test_tuning_names_a_model_of_this_machine(ws: Workspace, tmp_path: Path) -> None:
    from fedprompt.workspace.local.tuning import tune

    with pytest.raises(ModelError, check=coded("needs-local-model")):
        tune(ws, *files(tmp_path))


def rows_answered(ws: Workspace, **more: Any) -> list[TrialCell]:
    template = {"text": "{text}\nMood:", "messages": None, "words": None, "demonstrations": None}
    variant = {"template": template, "labels": ["positive", "negative"], "model": "chat:local", **more}
    return answered(ws, variant, [{"text": "a good film"}, {"text": "an awful film"}, {"note": "x"}])


def test_the_playground_answers_row_by_row(ws: Workspace, server: ChatServer) -> None:
    good, bad, none = rows_answered(ws, generate=True)
    assert (good.answer, bad.answer, none.answer) == ("positive", "negative", None)
    assert good.probabilities is not None and sum(good.probabilities.values()) == pytest.approx(1.0)
    assert good.generated == "Positive" and "'text'" in (none.error or "")
    assert good.tokens > 0 and bad.tokens > 0
    server.logprobs = False
    server.answer = lambda body: "Who knows"
    row = rows_answered(ws)[0]
    assert (row.probabilities, row.answer, row.generated) == (None, None, "Who knows")
    assert row.error is not None


def test_a_row_that_the_server_does_not_answer_says_why(ws: Workspace, server: ChatServer) -> None:
    server.trouble = lambda number, body: 400 if "awful" in body["messages"][-1]["content"] else None
    rows = rows_answered(ws, labels=[], generate=True)
    assert rows[0].error is None and rows[1].error == "the server gave no answer (request refused)"


def test_the_command_tells_method_money_and_what_was_no_label(
    ws: Workspace, server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.logprobs = False
    server.answer = lambda body: "perhaps" if number(body) == 12 else "negative"
    study, _ = files(tmp_path)
    data = write_cases(tmp_path / "a.csv", "a", 70)  # as many as the splits hold
    ws.close()
    arguments = ["score", "-S", str(study), "--data", str(data), "--split", "test", "--home", str(ws.home.path)]
    assert main([*arguments, "--dry-run"]) == 0
    assert "41 calls to a server on this machine" in capsys.readouterr().out
    for split in ("validation", "test", "tune"):
        assert main([*arguments, "--split", split]) == 0
    told = capsys.readouterr().out
    assert "answered by constrained answers" in told and "EUR" in told
    assert "1 answers" in told and "(lines 14)" in told


def test_a_study_is_read_once_whichever_model_is_asked(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    paths = files(tmp_path)
    opened: list[str] = []
    heard = [True]

    def hear(event: str, given: tuple[object, ...]) -> None:
        if heard and event == "open" and str(given[0]) == str(paths[0]):
            opened.append(event)

    sys.addaudithook(hear)  # no hook can be taken away again
    for model in (None, "scripted"):
        opened.clear()
        score(ws, *paths, model=model)
        assert len(opened) == 1
    heard.clear()
