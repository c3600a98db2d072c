"""What a judge on another machine is asked is in the ledger first; without a ledger it is not asked."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers import Resources, RubricJudge, Sample
from fedprompt.evaluation.scorers.scorer import BatchScorer
from fedprompt.models.chat.cost import Price, Tally
from fedprompt.models.chat.judge import ChatJudge
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn, Options, Usage
from fedprompt.models.chat.replies import ChatReplies
from fedprompt.site.judge_calls import counted, only_here, recorded
from fedprompt.site.ledger import Ledger
from fedprompt.stopping import NEVER, StopToken
from tests.coded import coded

STUDY = "s1:" + "0" * 32
SAID = ChatReply("Score: 5", Usage(30, 2))
SAMPLES = [Sample("zymurgy one", "two"), Sample("zymurgy three", "four")]


class Server:
    """A chat model that gives five points to all."""

    def __init__(self, remote: bool) -> None:
        self.info = ChatInfo(
            name="chat:x", digest="d", host="judge.example", remote=remote, logprobs=False, schema=False
        )
        self.asked, self.breaks = 0, False

    def ask(
        self,
        conversations: Sequence[Sequence[ChatTurn]],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        heard: Callable[[int, ChatReply], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        self.asked += len(conversations)
        if heard is not None:
            heard(0, SAID)
        if self.breaks:
            raise KeyboardInterrupt
        return tuple(SAID for _ in conversations)


def scorer(resources: Resources) -> BatchScorer:
    made = RubricJudge("r").prepared(resources)
    assert isinstance(made, BatchScorer)
    return made


def test_one_entry_a_batch_before_it_is_sent_and_no_text_in_it(tmp_path: Path) -> None:
    server, ledger = Server(remote=True), Ledger(tmp_path / "ledger.jsonl")
    resources = recorded(Resources(judge=lambda: ChatJudge(server)), ledger, STUDY)
    found = scorer(resources).score_all(SAMPLES)
    assert [each.value for each in found] == [1.0, 1.0]
    (entry,) = ledger.entries()
    assert (entry.decision, entry.study, entry.message["host"]) == ("call", STUDY, "judge.example")
    assert (entry.message["cases"], entry.message["calls"]) == (2, 2)
    assert "zymurgy" not in (tmp_path / "ledger.jsonl").read_text(encoding="utf-8")


def test_a_judge_on_this_machine_leaves_no_entry(tmp_path: Path) -> None:
    server, ledger = Server(remote=False), Ledger(tmp_path / "ledger.jsonl")
    scorer(recorded(Resources(judge=lambda: ChatJudge(server)), ledger, STUDY)).score_all(SAMPLES)
    assert server.asked == 2 and list(ledger.entries()) == []


def test_one_judge_answers_all_who_ask_and_what_it_answered_is_counted(tmp_path: Path) -> None:
    server, made = Server(remote=False), list[ChatJudge]()

    def judge() -> ChatJudge:
        made.append(ChatJudge(server))
        return made[-1]

    resources = recorded(Resources(judge=judge), Ledger(tmp_path / "ledger.jsonl"), STUDY)
    assert resources.judged is not None and resources.judged() == []
    for _ in range(2):
        scorer(resources).score_all(SAMPLES)
    assert len(made) == 1 and len(resources.judged()) == server.asked == 4


def test_what_each_batch_took_is_told_with_its_price_also_of_one_that_breaks_off(tmp_path: Path) -> None:
    server, told = Server(remote=False), list[tuple[str, Tally]]()
    price = Price(input=100.0, output=1000.0, currency="EUR")
    replies = ChatReplies(tmp_path / "replies.db", b"k" * 32)
    resources = counted(
        Resources(judge=lambda: ChatJudge(server, price=price)), replies, lambda *batch: told.append(batch)
    )
    server.breaks = True
    with pytest.raises(KeyboardInterrupt):
        scorer(resources).score_all(SAMPLES)
    # One answer came before the end: 30 read and 2 written, 30 x 100 and 2 x 1000 millionths.
    ((name, took),) = told
    assert (name, took.calls, took.tokens, took.amounts) == ("chat:x", 1, 32, {"EUR": pytest.approx(0.005)})
    assert resources.judged is not None and len(resources.judged()) == 1


def test_without_a_ledger_a_judge_elsewhere_is_not_asked() -> None:
    server = Server(remote=True)
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        scorer(Resources(judge=lambda: ChatJudge(server), before_judge=only_here)).score_all(SAMPLES)
    assert server.asked == 0
    here = Server(remote=False)
    scorer(Resources(judge=lambda: ChatJudge(here), before_judge=only_here)).score_all(SAMPLES)
    assert here.asked == 2
