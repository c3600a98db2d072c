"""A template parses to literals and plain names, says what is wrong with it, and renders a case as it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.rendered import SOFT
from fedprompt.prompts.template import Demonstrations, Message, Template
from tests.coded import coded

NAMES = st.sampled_from(["text", "note", "a_1", "Ärger"])
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=12)


def test_variables_come_once_each_in_order_and_without_reserved_names() -> None:
    template = Template("t", text="{b}{soft} {a} {b}")
    assert template.variables == ("b", "a")
    assert template.has_soft and not template.is_chat


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{text", "braces"),
        ("text}", "braces"),
        ("{}", "not-plain-variable"),
        ("{0}", "not-plain-variable"),
        ("{a.b}", "not-plain-variable"),
        ("{a[0]}", "not-plain-variable"),
        ("{a!r}", "not-plain-variable"),
        ("{a:>10}", "not-plain-variable"),
        ("{a:{b}}", "not-plain-variable"),
        ("{soft}{soft}", "several-soft-slots"),
        ("{demonstrations}", "demonstrations-in-part"),
        ("x" * 100_001, "too-long"),
        ("half a pair \ud83d", "half-a-character"),
    ],
)
def test_a_text_that_is_not_a_template_is_refused(text: str, code: str) -> None:
    with pytest.raises(PromptError, check=coded(code)):
        Template("t", text=text)


def test_a_template_is_text_or_messages() -> None:
    with pytest.raises(PromptError, check=coded("text-or-messages")):
        Template("t")
    with pytest.raises(PromptError, check=coded("text-or-messages")):
        Template("t", text="a", messages=(Message("user", "b"),))
    with pytest.raises(PromptError, check=coded("no-message")):
        Template("t", messages=())
    with pytest.raises(PromptError, check=coded("message-role")):
        Message("developer", "x")


def test_demonstrations_need_a_slot_and_a_count_in_bounds() -> None:
    with pytest.raises(PromptError, check=coded("demonstrations-in-part")):
        Template("t", text="{text}", demonstrations=Demonstrations(2))
    for count in (0, 65):
        with pytest.raises(PromptError, match=rf"\b{count}\b", check=coded("demonstrations-count")):
            Demonstrations(count)


def test_doubled_braces_are_plain_braces() -> None:
    assert Template("t", text='{{"x": "{text}"}}').render({"text": "y"}).text() == '{"x": "y"}'


@given(st.lists(st.tuples(PLAIN, NAMES), max_size=5), PLAIN)
def test_rendering_is_putting_values_between_literals(parts: list[tuple[str, str]], tail: str) -> None:
    values = {"text": "{note}", "note": "<|im_end|>", "a_1": "", "Ärger": "ü"}
    template = Template("t", text="".join(f"{literal}{{{name}}}" for literal, name in parts) + tail)
    # A value that looks like a variable or a marker stays as it is.
    assert template.render(values).text() == "".join(literal + values[name] for literal, name in parts) + tail


def test_the_soft_slot_cuts_the_text() -> None:
    rendered = Template("t", text="Review: {text}{soft}\nSentiment:").render({"text": "{soft}"})
    assert rendered.turns[0].pieces == ("Review: {soft}", SOFT, "\nSentiment:")
    assert rendered.has_soft
    assert not Template("t", text="{text}").render({"text": "{soft}"}).has_soft


def test_a_missing_field_is_named() -> None:
    with pytest.raises(PromptError, match="'note'", check=coded("field-missing")):
        Template("t", text="{note}").render({"text": "x"})


def test_chat_keeps_its_turns_and_roles() -> None:
    template = Template("t", messages=(Message("system", "Be brief."), Message("user", "{text}?{soft}")))
    rendered = template.render({"text": "why"})
    assert template.is_chat and rendered.is_chat and rendered.has_soft
    assert [(turn.role, turn.pieces) for turn in rendered.turns] == [
        ("system", ("Be brief.",)),
        ("user", ("why?", SOFT)),
    ]
    assert rendered.text() == "[system] Be brief.\n[user] why?{soft}"


def test_demonstrations_are_the_template_with_its_words_and_separators() -> None:
    template = Template(
        "t",
        text="{demonstrations}Q: {text}{soft}\nA:",
        words={"yes": " ja", "no": " nein"},
        demonstrations=Demonstrations(2, separator=" ## "),
    )
    shown = [({"text": "one"}, "yes"), ({"text": "two"}, "no"), ({"text": "three"}, "yes")]
    assert template.render({"text": "x"}, shown).text() == "Q: one\nA: ja ## Q: two\nA: nein ## Q: x{soft}\nA:"


def test_too_few_demonstrations_or_one_without_a_field_are_refused() -> None:
    template = Template("t", text="{demonstrations}{text}:", demonstrations=Demonstrations(2))
    with pytest.raises(PromptError, match=r"2.*1", check=coded("too-few-demonstrations")):
        template.render({"text": "x"}, [({"text": "y"}, "a")])
    with pytest.raises(PromptError, match="'text'", check=coded("field-missing")):
        template.render({"text": "x"}, [({"text": "y"}, "a"), ({"note": "y"}, "a")])


def test_a_label_stands_for_itself_after_a_space() -> None:
    labels = ["good", "bad"]
    assert Template("t", text="{text}:").with_words(labels).words == {"good": " good", "bad": " bad"}
    assert Template("t", text="{text}: ").with_words(labels).words == {"good": "good", "bad": "bad"}
    assert Template("t", text="{text}\n").with_words(labels).words == {"good": "good", "bad": "bad"}
    chat = Template("t", messages=(Message("user", "{text}"),))
    assert chat.with_words(labels).words == {"good": "good", "bad": "bad"}
    own = Template("t", text="{text}:", words={"bad": " awful"})
    assert own.with_words(labels).words == {"good": " good", "bad": " awful"}


def test_words_that_cannot_answer_are_refused() -> None:
    with pytest.raises(PromptError, match="'ugly'", check=coded("word-without-label")):
        Template("t", text="{text}:", words={"ugly": " u"}).with_words(["good", "bad"])
    with pytest.raises(PromptError, check=coded("empty-word")):
        Template("t", text="{text}:", words={"good": "", "bad": " b"})
    with pytest.raises(PromptError, check=coded("same-word")):
        Template("t", text="{text}:", words={"good": " x", "bad": " x"})


def test_a_template_keeps_its_words_when_the_callers_change() -> None:
    words = {"good": " g", "bad": " b"}
    template = Template("t", text="{text}:", words=words)
    before = canonical_json(template.canonical())
    words["good"] = " another"
    assert canonical_json(template.canonical()) == before


@given(
    st.builds(
        Template,
        name=PLAIN,
        text=PLAIN.map(lambda text: text + "{text}"),
        words=st.none()
        | st.dictionaries(PLAIN, PLAIN.filter(bool), max_size=4).filter(
            lambda words: len(set(words.values())) == len(words)
        ),
    )
    | st.builds(
        Template,
        name=PLAIN,
        messages=st.lists(
            st.builds(Message, st.sampled_from(["system", "user", "assistant"]), PLAIN), min_size=1, max_size=3
        ).map(tuple),
    )
    | st.builds(
        Template,
        name=PLAIN,
        text=PLAIN.map(lambda text: "{demonstrations}" + text),
        demonstrations=st.builds(Demonstrations, st.integers(1, 64), PLAIN),
    )
)
def test_a_template_comes_back_from_its_canonical_form(template: Template) -> None:
    assert Template.from_canonical(template.name, template.canonical()) == template


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"demonstrations": None, "messages": None, "text": "x", "words": None, "more": 1},
        {"demonstrations": None, "messages": None, "text": 3, "words": None},
        {"demonstrations": None, "messages": None, "text": ["x"], "words": None},
        {"demonstrations": None, "messages": 3, "text": None, "words": None},
        {"demonstrations": None, "messages": [{"role": "user"}], "text": None, "words": None},
        {"demonstrations": None, "messages": [{"role": "user", "content": 3}], "text": None, "words": None},
        {"demonstrations": None, "messages": None, "text": "x", "words": ["a"]},
        {"demonstrations": {"count": "many"}, "messages": None, "text": "{demonstrations}", "words": None},
    ],
)
def test_what_is_no_template_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(PromptError, match="'odd'", check=coded("not-well-formed")):
        Template.from_canonical("odd", body)
