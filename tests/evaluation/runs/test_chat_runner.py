"""A chat model's answers summed up: what failed is in no sum, what is no label is wrong, and both are counted."""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fedprompt.errors import ModelError, StudyError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.chat_runner import ChatRun, conversations, run_chat, score_chat
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn, Options, Usage
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Message, Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from fedprompt.study.score import Method
from tests.coded import coded

LABELS = ("positive", "negative")
CHOICE = Answer(type="choice", labels=LABELS)
CASES = tuple(Case({"text": f"case {n}"}, LABELS[n % 2], line=n + 2) for n in range(6))
PROMPT = Prompt(Template("plain", text="{text}?").with_words(LABELS))
USAGE = Usage(10, 1)


class Model:
    """Answers by a function of the last message; keeps what it was asked."""

    info = ChatInfo("chat:fake", "sha256:0", "localhost", False, True, False)

    def __init__(self, answer: Callable[[str], ChatReply]) -> None:
        self._answer, self.asked = answer, list[tuple[Sequence[ChatTurn], Options]]()

    def ask(
        self,
        conversations: Sequence[Sequence[ChatTurn]],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        self.asked += [(one, options) for one in conversations]
        return tuple(self._answer(one[-1].text) for one in conversations)

    def close(self) -> None:
        """Nothing is open."""


def says(texts: Sequence[ChatReply | str]) -> Model:
    """Return a model that answers case n with the nth text."""

    def answer(text: str) -> ChatReply:
        found = texts[int(re.findall(r"case (\d)", text)[-1])]
        return ChatReply(found, USAGE) if isinstance(found, str) else found

    return Model(answer)


def run(model: Model, method: Method) -> ChatRun:
    (found,), _ = run_chat(model, [PROMPT], CASES, CHOICE, (), method)
    return found


def test_every_label_answered_makes_a_confusion_matrix_by_likelihood() -> None:
    def likely(label: int, share: float) -> ChatReply:
        names = ("pos", "neg") if label == 0 else ("neg", "pos")
        return ChatReply("", USAGE, ((names[0], math.log(share)), (names[1], math.log(1 - share))))

    # Right on cases 0 to 3; cases 4 (positive) and 5 (negative) are taken for the other.
    found = run(says([likely(n % 2, 0.9) for n in range(4)] + [likely(1, 0.6), likely(0, 0.6)]), "likelihood")
    score = score_chat(found, CASES, "test", CHOICE, "likelihood")
    assert (score.n, score.total, score.method) == (6, 4.0, "likelihood")
    assert score.confusion == ((2, 1), (1, 2))
    # Four answers at 0.9 in the last bin, two at 0.6 in the seventh.
    assert (score.bins[9].n, score.bins[9].right, score.bins[6].n, score.bins[6].right) == (4, 4, 2, 0)


def test_an_answer_that_is_no_label_is_wrong_and_listed() -> None:
    found = run(says(["positive", "negative", "I cannot say", "Negative.", "positive", ""]), "constrained")
    score = score_chat(found, CASES, "test", CHOICE, "constrained")
    assert found.unparsed == (2, 5)
    assert (score.n, score.total, score.method, score.confusion) == (6, 4.0, "constrained", ())
    assert found.run.reasons["choice"] == {"the answer is not a label": 2}  # wording


def test_a_call_that_failed_is_in_no_sum() -> None:
    texts: list[ChatReply | str] = ["positive", "negative", "negative", "negative", "positive", "negative"]
    texts[2], texts[3] = ChatReply("", failure="rate limit"), ChatReply("", failure="timeout")
    found = run(says(texts), "constrained")
    score = score_chat(found, CASES, "test", CHOICE, "constrained")
    assert found.unparsed == () and (score.n, score.total) == (4, 4.0)
    assert found.run.reasons["model"] == {"rate limit": 1, "timeout": 1}
    assert np.isnan(found.run.values).tolist() == [False, False, True, True, False, False]


def test_when_every_call_failed_there_is_no_value() -> None:
    found = run(says([ChatReply("", failure="server error")] * 6), "likelihood")
    score = score_chat(found, CASES, "test", CHOICE, "likelihood")
    assert (score.n, score.value) == (0, None)


def test_a_likelihood_run_with_a_failed_call_keeps_its_calibration() -> None:
    sure = ChatReply("", USAGE, (("pos", math.log(0.8)), ("neg", math.log(0.2))))
    found = run(says([sure, sure, ChatReply("", failure="timeout"), sure, sure, sure]), "likelihood")
    score = score_chat(found, CASES, "test", CHOICE, "likelihood")
    # Cases 0 and 4 are positive; 1, 3 and 5 are not.
    assert (score.n, score.total, score.confusion) == (5, 2.0, ((2, 0), (3, 0)))


def test_a_failed_text_is_not_judged_and_an_empty_one_is() -> None:
    answer = Answer.model_validate({"type": "generate", "scorers": ["exact"], "max_tokens": 9, "stop": ["END"]})
    model = says(["positive", "negative", ChatReply("", failure="answer withheld"), "", "positive", "x"])
    (found,), replies = run_chat(model, [PROMPT], CASES, answer, (), None)
    score = score_chat(found, CASES, "test", answer, None)
    assert (score.metric, score.n, score.total) == ("score", 5, 3.0)
    assert found.run.reasons["model"] == {"answer withheld": 1}
    assert len(replies) == 6 and model.asked[0][1] == Options(max_tokens=9, stop=("END",))


def test_demonstrations_and_messages_are_sent_natively() -> None:
    template = Template(
        "chat",
        messages=(Message("system", "You label."), Message("user", "{demonstrations}{text}:")),
        demonstrations=Demonstrations(2, "\n"),
    ).with_words(LABELS)
    model = says(["positive"] * 6)
    run_chat(model, [Prompt(template)], CASES[:1], CHOICE, CASES[4:], "constrained")
    (system, user), _ = model.asked[0]
    assert (system.role, system.text, user.role) == ("system", "You label.", "user")
    # The tune cases, labels in turn and alphabetical: case 5 is negative, case 4 is positive.
    assert user.text.index("case 5:negative") < user.text.index("case 4:positive") < user.text.index("case 0:")


def test_what_is_announced_is_what_is_sent() -> None:
    prompts = [PROMPT, Prompt(Template("other", text="{text} mood?", words={"positive": "good", "negative": "bad"}))]
    for method in ("likelihood", "constrained"):
        model = says(["positive"] * 6)
        run_chat(model, prompts, CASES, CHOICE, (), method)
        said = conversations(prompts, CASES, CHOICE, (), method)
        assert sorted(map(repr, said)) == sorted(repr(asked) for asked in model.asked)


def test_what_only_whole_likelihoods_give_is_refused() -> None:
    with pytest.raises(StudyError, match=r"answer\.prior", check=coded("needs-whole-likelihoods")):
        run_chat(says([]), [PROMPT], CASES, CHOICE.model_copy(update={"prior": "pmi"}), (), "likelihood")
    with pytest.raises(ModelError, check=coded("needs-a-method")):
        run_chat(says([]), [PROMPT], CASES, CHOICE, (), None)
