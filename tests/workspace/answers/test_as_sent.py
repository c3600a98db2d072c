"""A prompt as it is sent is what the model counts, and nothing is loaded to count it."""

from pathlib import Path

import pytest

from fedprompt.models.registry import DEFAULT_MODEL, word_reader
from fedprompt.prompts.template import Message, Template
from fedprompt.workspace.answers.as_sent import as_sent
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import open_workspace


def test_the_count_of_the_scripted_model_is_its_own_and_a_lacking_field_is_empty(tmp_path: Path) -> None:
    template = Template("a", "Review: {text} {note}\nMood:")
    with open_workspace(tmp_path) as ws:
        found = as_sent(ws, Variant(template=template.canonical(), model="scripted"), {"text": "so fine"})
    assert found.text == "Review: so fine \nMood:" and found.tokens == 6 and not found.over
    assert found.window is not None


def test_a_chat_server_counts_for_itself(tmp_path: Path) -> None:
    variant = Variant(template=Template("a", "Hi {text}").canonical(), model="chat:local")
    with open_workspace(tmp_path) as ws:
        found = as_sent(ws, variant, {"text": "you"})
    assert (found.text, found.tokens, found.window) == ("Hi you", None, None)


def test_a_model_that_is_not_here_has_no_count(tmp_path: Path) -> None:
    variant = Variant(template=Template("a", "Hi {text}").canonical(), model=str(tmp_path / "nowhere"))
    with open_workspace(tmp_path) as ws:
        assert as_sent(ws, variant, {}).tokens is None


@pytest.mark.model
def test_text_is_counted_as_the_real_model_counts_it(home_with_assets: Path) -> None:
    reader = word_reader(DEFAULT_MODEL, home_with_assets)
    assert reader is not None
    template = Template("a", "Review: {text}\nSentiment:")
    row = {"text": "So — <|im_start|> fine, naïve 😀"}
    with open_workspace(home_with_assets) as ws:
        found = as_sent(ws, Variant(template=template.canonical()), row)
        chat = Template("a", None, (Message("user", "{text}"),))
        talk = as_sent(ws, Variant(template=chat.canonical()), row)
    assert found.exact and found.tokens == reader.length(template.render(row), (), 0)
    assert not talk.exact and talk.tokens is not None and talk.tokens < reader.length(chat.render(row), (), 0)
    assert found.window == 8192
