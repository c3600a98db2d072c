"""What calls took adds up, by hand; a cost that is not known in part is not known."""

import pytest
from pydantic import ValidationError

from fedprompt.models.chat.cost import Cost, Price, Tally, tallied
from fedprompt.models.chat.protocol import ChatReply, Usage

PRICE = Price(input=100.0, output=1000.0, currency="EUR")
REPLIES = (
    ChatReply("a", Usage(30, 2)),
    ChatReply("b", Usage(50, 4)),
    ChatReply("c", Usage(70, 7), kept=True),
    ChatReply("", failure="timeout"),
)


def test_calls_made_now_are_counted_and_priced_and_known_answers_cost_nothing() -> None:
    found = tallied(REPLIES, PRICE)
    assert (found.calls, found.cached, found.uncounted, found.failed) == (3, 1, 0, {"timeout": 1})
    # 80 read and 6 written: 80 x 100 and 6 x 1000 millionths.
    assert (found.input_tokens, found.output_tokens, found.tokens) == (80, 6, 86)
    assert found.cost == Cost(pytest.approx(0.014), "EUR")


def test_batches_add_up_to_the_whole() -> None:
    parts = [tallied([reply], PRICE) for reply in REPLIES]
    total = sum(parts, Tally())
    assert total.model_dump(exclude={"amounts"}) == tallied(REPLIES, PRICE).model_dump(exclude={"amounts"})
    assert total.amounts == {"EUR": pytest.approx(0.014)}
    assert Tally() + total == total


def test_a_cost_is_known_only_where_every_part_of_it_is() -> None:
    priced = tallied(REPLIES, PRICE)
    assert tallied(REPLIES, None).unpriced and tallied(REPLIES, None).cost is None
    assert (priced + tallied(REPLIES, None)).cost is None
    uncounted = tallied([ChatReply("a")], PRICE)
    assert uncounted.uncounted == 1 and uncounted.cost is None and (priced + uncounted).cost is None
    dollars = tallied(REPLIES, Price(input=1.0, output=1.0))
    assert (priced + dollars).cost is None and set((priced + dollars).amounts) == {"EUR", "USD"}


def test_a_tally_holds_numbers_and_closed_words_alone() -> None:
    for stray in ({"text": "quixotry"}, {"failed": {"quixotry": 1}}, {"amounts": {"quixotry": 1.0}}, {"calls": -1}):
        with pytest.raises(ValidationError):
            Tally.model_validate(stray)
