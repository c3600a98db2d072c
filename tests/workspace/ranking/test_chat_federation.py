"""Sites score and rank a study's templates on a chat model; each call that leaves is in its site's ledger."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import FederationError, ModelError
from fedprompt.models.chat.through_langchain import load_chat
from fedprompt.site.folder import SiteFolder
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Study
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.tune import TuneTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from fedprompt.workspace.answers.study_model import model_digest_of
from fedprompt.workspace.cases.evaluation_sets import keep_file
from fedprompt.workspace.cases.site_of_file import make_worker
from fedprompt.workspace.ranking.comparing import compare_scores
from fedprompt.workspace.ranking.leaderboard import latest_study
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import KEY, ChatServer, serve, write_models
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, cases, write_cases

pytestmark = pytest.mark.whole

TEXT = """\
study: mood
model: chat:local
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "Review: {text}\\nSentiment:"}
  - {name: chat, messages: [{role: system, content: You label.}, {role: user, content: "{text}"}]}
privacy: {min_cases: 10}
splits: {tune: 12, validation: 12, test: 12}
"""
SOFT = 'soft: {template: "{text}{soft}", tokens: 2, init: "so"}\n'


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as state:
        yield state


@pytest.fixture
def ws(tmp_path: Path, server: ChatServer) -> Iterator[Workspace]:
    write_models(tmp_path / "home", server.url)
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def files(path: Path, text: str = TEXT) -> tuple[Path, dict[str, Path]]:
    (path / "s.yaml").write_text(text, encoding="utf-8")
    return path / "s.yaml", {name: write_cases(path / f"{name}.csv", name, 40) for name in ("bank", "clinic")}


def test_templates_are_scored_ranked_and_looked_at_on_test(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    study, sites = files(tmp_path)
    found = federate(ws, study, sites)
    assert [row.name for row in found.templates] == ["plain", "chat"] and found.rounds == ()
    assert set(found.test["manual"].by_site) == {"bank", "clinic"} and 0 < found.test["manual"].mean <= 1
    view = ranking_page(ws, Filter(study=latest_study(ws)))
    assert len(view.rows) == 2 and view.sites == ("bank", "clinic")
    assert {row.score.method for row in ws.bank.scores(run=found.run)} == {"likelihood"}
    told = compare_scores(ws, *(row.prompt for row in found.templates)).told
    assert told.whole.test == "mcnemar" and told.whole.n == 24 and set(told.by_site) == {"bank", "clinic"}
    # Two sites: 2 templates on 12 validation cases, the best on 12 test cases, and the question what the server can do.
    assert len(server.sent) == 2 * (24 + 12 + 1)
    ledgers = [SiteFolder(ws.home.sites / site).ledger.entries() for site in sites]
    assert all(entry.decision == "sent" for entries in ledgers for entry in entries)  # nothing left this machine


def test_a_run_that_is_begun_anew_pays_for_nothing_twice(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    study, sites = files(tmp_path)
    federate(ws, study, sites)
    before = len(server.sent)
    federate(ws, study, sites, seed=1)  # another run of the same questions
    assert len(server.sent) == before
    # Each site's own bill has its 2 x 12 + 12 calls and the question what the server can do, and no more.
    bills = [SiteFolder(ws.home.sites / site).bill.read() for site in sites]
    took = [bill for found in bills for study in found.values() for bill in study.items()]
    assert [(who, one.calls, one.cached) for who, one in took] == [(("model", "chat:local"), before // 2, 0)] * 2


def test_a_host_elsewhere_needs_leave_and_each_sites_ledger_has_the_calls(
    ws: Workspace, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, sites = files(tmp_path)
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    write_models(ws.home.path, "http://models.example/v1", f'key = "{KEY}"')
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        federate(ws, study, sites)
    assert server.sent == []
    write_models(ws.home.path, "http://models.example/v1", f'key = "{KEY}"', 'allow = ["http://models.example"]')
    federate(ws, study, sites)
    for site in sites:
        calls = [entry for entry in SiteFolder(ws.home.sites / site).ledger.entries() if entry.decision == "call"]
        assert [entry.message["calls"] for entry in calls] == [12, 12, 12]  # a family of templates at a time, then test
        assert {entry.message["host"] for entry in calls} == {"models.example"}
        asked = sum(len(re.findall(rf"quixotry-{site}-\d+", sent.text)) for sent in server.sent)
        assert asked == sum(entry.message["calls"] for entry in calls)


def test_a_site_that_answers_by_another_method_is_left_out_with_the_reason(
    ws: Workspace, server: ChatServer, tmp_path: Path
) -> None:
    study, sites = files(tmp_path, TEXT + "rounds: {quorum: 1}\n")

    def no_likelihoods_at_the_second(number: int, body: object) -> None:
        # The first site's question and its 12 cases of the first template have them, the second site's do not.
        server.logprobs = not 13 < number <= 26

    server.trouble = no_likelihoods_at_the_second
    found = federate(ws, study, sites)
    assert "answered by constrained answers" in found.missing["clinic"]["score"]
    assert {row.site for row in ws.bank.scores(run=found.run, split="validation")} == {"bank"}


def test_a_study_that_tunes_is_refused_with_the_reason(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    study, sites = files(tmp_path, TEXT + SOFT)
    with pytest.raises(ModelError, check=coded("needs-local-model")):
        federate(ws, study, sites)
    assert server.sent == [] and not ws.bank.runs()


def test_a_site_asked_to_tune_says_that_it_cannot(ws: Workspace, tmp_path: Path) -> None:
    parsed: Study = parse_study(TEXT)
    folder = SiteFolder(tmp_path / "site")
    folder.prepare(b"s" * 32)
    with load_chat("chat:local", ws.home.path) as model:
        site = make_worker(name="s", folder=folder, study=parsed, model=model, cases=cases("s", 40), where="s")
        task = TuneTask(task="t1:" + "a" * 32, study=site.digest, round=1, steps=1, seed=0)
        reply = unpack_reply(site.handle(pack_task(task, {"start": MODEL.text_init("so", 2).vectors})).data).message
    assert isinstance(reply, Refusal) and reply.code == "not-supported"
    assert site.digest == parsed.digest(model_digest_of(parsed, ws.home.path))  # without a connection


def test_what_was_answered_before_costs_nothing_and_the_rest_is_no_dearer_than_told(
    ws: Workspace, server: ChatServer, tmp_path: Path
) -> None:
    write_models(ws.home.path, server.url, "price = {input = 1.0, output = 1000.0}")
    study, sites = files(tmp_path)
    before = forecast(ws, study, dict(sites))
    assert before.chat.cost.amount == pytest.approx(sum(one.chat.cost.amount for one in before.sites.values()))
    federate(ws, study, sites)
    assert len(server.sent) == before.chat.calls
    after = forecast(ws, study, dict(sites))
    # The best template was answered on test; where it is not the dearest, that one is not known yet.
    assert after.chat.calls in (0, 12, 13, 24, 26) and after.chat.cached >= 48
    assert after.chat.cost.amount < before.chat.cost.amount


def test_what_it_would_take_is_told_without_a_call(ws: Workspace, server: ChatServer, tmp_path: Path) -> None:
    study, sites = files(tmp_path)
    told = forecast(ws, study, dict(sites))
    assert told.basis == "not known" and told.seconds is None and told.received > 0
    # A site: 2 templates on 12 validation cases, one on 12 test cases, and the question what the server can do.
    assert [one.chat.calls for one in told.sites.values()] == [37, 37] and told.chat.calls == 74
    assert told.chat.tokens == told.chat.input_tokens + told.chat.output_tokens and told.chat.cost is None
    assert any("no price" in note for note in told.notes)
    assert server.sent == [] and not list(ws.home.sites.glob("*"))
    dropped = keep_file(ws.home, "bank", "bank.csv", sites["bank"].read_bytes())  # a folder without a key
    assert forecast(ws, study, {**sites, "bank": dropped}).chat == told.chat
    elsewhere = forecast(ws, study, {"bank": sites["bank"], "clinic": None})
    assert elsewhere.sites["clinic"].chat.calls is None and elsewhere.chat.calls is None
    assert elsewhere.sites["bank"].chat.calls == 37
    with pytest.raises(FederationError, check=coded("two-sites")):
        federate(ws, study, {"bank": sites["bank"]})
