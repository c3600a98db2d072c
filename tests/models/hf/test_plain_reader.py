"""Whatever a tokenizer adds to its vocabulary, a case's text that looks like it is spelt out."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fedprompt.models.hf.encoding import Encoder
from fedprompt.models.hf.plain_reader import PlainReader
from fedprompt.prompts.template import Message, Template
from tests.models.tiny import tokenizer

CHAT = (
    "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}<|end|>{% endfor %}"
    "<|turn|>assistant\n<think>\n\n</think>\n\n"
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def thinking() -> Any:
    """Return a tokenizer with markers that it does not call special, as Qwen 3 has them, and with words added."""
    made = copy.deepcopy(tokenizer())
    made.add_tokens(["<think>", "</think>", "<\uff5cUser\uff5c>", "[INST]", "quixotry", "    ", "na\u00efve"])
    return made


def unigram(scheme: str = "always", *, more: Sequence[tuple[str, float]] = ()) -> Any:
    """Return a SentencePiece-like tokenizer, whose vocabulary itself holds ``<s>`` as the likeliest piece."""
    pieces = [(letter, -3.0) for letter in (*LETTERS, "\u2581", "<", ">", "|", "/", "[", "]", "\n", ":")]
    inner = Tokenizer(models.Unigram([("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *pieces, *more], unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    inner.decoder = decoders.Metaspace(prepend_scheme=scheme)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    made.add_special_tokens({"additional_special_tokens": ["<|turn|>", "<|end|>"]})
    made.add_tokens(["<think>", "</think>"])
    made.chat_template = CHAT
    return made


@pytest.mark.parametrize("text", ["<think>", "so <think> it </think>", "<\uff5cUser\uff5c>x", "a[INST]b", "<|im_end|>"])
def test_a_marker_that_no_one_calls_special_is_spelt_too(text: str) -> None:
    made = thinking()
    reader = PlainReader(made)
    (ids,) = reader.read([text])
    markers = {marker.id for marker in reader.markers.values()}
    assert markers.isdisjoint(ids) and made.decode(ids) == text
    # Without the reader it is one token, but for what is special.
    whole = made(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert markers.isdisjoint(whole) == (text == "<|im_end|>")


def test_words_and_white_space_that_a_tokenizer_adds_stay_whole() -> None:
    made = thinking()
    text = "quixotry    na\u00efve"
    expected = made.convert_tokens_to_ids(["quixotry", "    ", "na\u00efve"])
    assert PlainReader(made).read([text]) == [tuple(expected)]


def test_reading_changes_nothing_about_the_tokenizer_that_writes() -> None:
    made = thinking()
    PlainReader(made).read(["<think>"])
    think = made.convert_tokens_to_ids("<think>")
    assert made("<think>", add_special_tokens=False)["input_ids"] == [think]
    assert made.decode([think], skip_special_tokens=True) == "<think>"


def test_plain_text_is_read_as_the_tokenizer_reads_it() -> None:
    texts = ["a good film", "", "  two  spaces\n\nand lines", "\u00e9t\u00e9 \U0001f600"]
    expected = [tuple(ids) for ids in tokenizer()(texts, add_special_tokens=False)["input_ids"]]
    assert PlainReader(tokenizer()).read(texts) == expected == PlainReader(thinking()).read(texts)


@pytest.mark.parametrize("text", ["<s>", "a<s>b </s>", "<s><s>", "<<s>>", "x <think><s>"])
def test_a_marker_in_the_vocabulary_itself_is_cut_apart(text: str) -> None:
    made = unigram("first")
    reader = PlainReader(made)
    (ids,) = reader.read([text])
    assert {marker.id for marker in reader.markers.values()}.isdisjoint(ids)
    assert made.decode(ids) == text
    assert PlainReader(unigram()).read(["\u00e9"])[0][-1] == 0  # what is unknown is no marker


@pytest.mark.whole  # each format is filled in a process that imports transformers
@pytest.mark.parametrize("scheme", ["first", "always", "never"])
@pytest.mark.parametrize("make", [unigram, None], ids=["metaspace", "bytes"])
def test_a_chat_is_tokenised_as_its_own_format_says(make: Any, scheme: str) -> None:
    made = unigram(scheme) if make else thinking()
    made.chat_template = CHAT.replace("<|turn|>", "<|im_start|>").replace("<|end|>", "<|im_end|>") if not make else CHAT
    talk = Template("talk", messages=(Message("user", "how is this: {text}"), Message("assistant", "good")))
    ids = Encoder(made, 512).context(talk.render({"text": "a fine film"}), 0)
    messages = [{"role": "user", "content": "how is this: a fine film"}, {"role": "assistant", "content": "good"}]
    assert ids == tuple(made.apply_chat_template(messages, return_dict=False))


@pytest.mark.whole
def test_only_the_formats_own_think_is_a_control_token() -> None:
    made = unigram("first")
    think = made.convert_tokens_to_ids("<think>")
    talk = Template("talk", messages=(Message("user", "{text}"),)).with_words(["good", "bad"])
    code = Encoder(made, 512).choices([(talk.render({"text": "see <think></think><|end|>"}), (" good", " bad"), 0)])[0]
    assert code.context.count(think) == 1
    assert "see <think></think><|end|>" in made.decode([i for i in code.context], skip_special_tokens=False)


@pytest.mark.whole
def test_white_space_that_a_marker_takes_in_is_left_out_as_by_its_own_format() -> None:
    made = copy.deepcopy(tokenizer())
    made.add_tokens([AddedToken("<|user|>", special=True, lstrip=True, rstrip=True)])
    made.chat_template = "{% for m in messages %} \n <|user|>\n {{ m.content }}<|im_end|>{% endfor %}<|im_start|>\n"
    ids = Encoder(made, 512).context(Template("t", messages=(Message("user", "a film"),)).render({}), 0)
    assert ids == tuple(made.apply_chat_template([{"role": "user", "content": "a film"}], return_dict=False))
