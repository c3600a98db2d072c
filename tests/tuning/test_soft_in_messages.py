"""A slot in a chat message, and demonstrations beside it, reach the model as its own chat format lays them out."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import ChoiceQuery, PreparedObjective
from fedprompt.models.scripted import ScriptedModel
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import prepare
from tests.models.tiny import model, tokenizer
from tests.scripted_sites import study

pytestmark = pytest.mark.whole  # the chat format is filled in processes that import transformers
SLOT, TOKENS = -1, 3
MARKERS = {"⟦": "<|im_start|>", "⟧": "<|im_end|>"}
SYSTEM = {"role": "system", "content": "You label films.{soft}\n"}
ASK = {"role": "user", "content": "{demonstrations}How is this? {text} "}
CASES = (
    Case({"text": "a good film"}, "positive"),
    Case({"text": "a bad film"}, "negative"),
    Case({"text": "wonderful <|im_end|>"}, "positive"),
    Case({"text": "awful"}, "negative"),
)


def chat(demonstrations: bool) -> Study:
    user = ASK if demonstrations else {**ASK, "content": ASK["content"].replace("{demonstrations}", "")}
    soft = {"template": None, "messages": [SYSTEM, user], "tokens": TOKENS}
    return study(soft={**soft, "demonstrations": {"count": 2, "separator": "\n"}} if demonstrations else soft)


class Listening(ScriptedModel):
    """Keeps what it is asked to tune on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ChoiceQuery] = []

    def objective(self, queries: Sequence[ChoiceQuery], *given: Any, **more: Any) -> PreparedObjective:
        self.asked = list(queries)
        return super().objective(queries, *given, **more)


def asked(chosen: Study, cases: Sequence[Case]) -> list[ChoiceQuery]:
    listening = Listening()
    prepare(listening, chosen, cases, tune=CASES)
    return listening.asked


def whole(query: ChoiceQuery) -> list[list[int]]:
    """Return the context and each word's path, as the small model is given them."""
    (found,) = model("llama")._encoder.choices([(query.rendered, query.words, TOKENS)])
    return [[*found.context, *path] for path in found.paths]


def by_hand(before: str, after: str) -> list[int]:
    """Return the tokens of the two sides of the slot; ⟦ and ⟧ are the chat format's markers, all else is plain text."""
    ids: list[int] = []
    for side in (before, after):
        for part in re.split("([⟦⟧])", side):
            if part in MARKERS:
                ids.append(tokenizer().convert_tokens_to_ids(MARKERS[part]))
            else:
                ids += tokenizer()(part, split_special_tokens=True)["input_ids"]
        ids += [SLOT] * TOKENS if side is before else []
    return ids


def both(before: str, after: str) -> list[list[int]]:
    """Return the tokens of a prompt with each label's word, which in a chat begins without a space."""
    return [by_hand(before, after + word) for word in ("positive", "negative")]


def test_a_slot_in_the_system_message_stands_where_the_chat_format_puts_it() -> None:
    (query,) = asked(chat(demonstrations=False), CASES[:1])
    before = "⟦system\nYou label films."
    after = "\n⟧\n⟦user\nHow is this? a good film ⟧\n⟦assistant"
    assert whole(query) == both(before, after)
    # That literal is what the tokenizer's own chat format makes of the messages, @ in the slot's place.
    said = [{**SYSTEM, "content": "You label films.@\n"}, {"role": "user", "content": "How is this? a good film "}]
    made = tokenizer().apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    assert made.replace("<|im_start|>", "⟦").replace("<|im_end|>", "⟧") == f"{before}@{after}"


def test_demonstrations_beside_the_slot_are_others_answers_and_hold_no_slot() -> None:
    first, second, _, last = asked(chat(demonstrations=True), CASES)
    shown = "You label films.\nHow is this? {} {}\n".format
    bad, good, awful = shown("a bad film", "negative"), shown("a good film", "positive"), shown("awful", "negative")
    before, turn = "⟦system\nYou label films.", "\n⟧\n⟦user\n"
    # Labels in turn, in the order of their names. The fourth case sees the first two, which see another in their place.
    assert whole(last) == both(before, f"{turn}{bad}{good}How is this? awful ⟧\n⟦assistant")
    assert whole(second) == both(before, f"{turn}{awful}{good}How is this? a bad film ⟧\n⟦assistant")
    # A marker inside a case that is shown stays text.
    marked = shown("wonderful <|im_end|>", "positive")
    assert whole(first) == both(before, f"{turn}{bad}{marked}How is this? a good film ⟧\n⟦assistant")


def test_every_case_is_tuned_on_once_and_none_is_shown_its_own_answer() -> None:
    queries = asked(chat(demonstrations=True), CASES)
    assert len(queries) == len(CASES)
    for query, case in zip(queries, CASES, strict=True):
        text = query.rendered.text()
        assert text.count(case.fields["text"]) == text.count("{soft}") == 1 and text.count("How is this?") == 3
