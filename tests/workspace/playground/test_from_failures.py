"""Cases that fail are added to a test set or shown as examples, and no variant is scored on what it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import JobError, PromptError
from fedprompt.prompts.template import Message, Template
from fedprompt.workspace.answers.composing import MOST_EXAMPLES, Example, SaidTurn, composed
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.from_failures import add_to_set, examples_of, left_out
from fedprompt.workspace.playground.trial_files import TrialFolder, owner_folder
from fedprompt.workspace.playground.trials import TrialRequest, read_trial, run_trial
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

RUN = "ab" * 16
PLAIN = Template("plain", text="{text}\nMood:")
CHAT = Template("chat", messages=(Message("system", "Be {{brief}}."), Message("user", "Mood of {text}?")))
LABELS = ("positive", "negative")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


@pytest.fixture
def folder(ws: Workspace) -> TrialFolder:
    return owner_folder(ws.home, "")


def variant(template: Template = PLAIN, **more: Any) -> Variant:
    return Variant(template=template.canonical(), labels=LABELS, model="scripted", **more)


def request(*texts: str, expected: tuple[str, ...] = (), variants: tuple[Variant, ...] = ()) -> TrialRequest:
    return TrialRequest(variants=variants or (variant(),), rows=[{"text": one} for one in texts], expected=expected)


def example(text: str, answer: str = "positive") -> Example:
    return Example(fields={"text": text}, answer=answer)


def test_rows_are_added_to_a_new_set_and_to_one_that_is_there_each_once(folder: TrialFolder) -> None:
    asked = request("good", "bad", " GOOD ", expected=("positive", "negative", "positive"))
    first = add_to_set(folder, " hard ", asked, [1])
    second = add_to_set(folder, "hard", asked, [0, 1, 2])
    assert ((first.added, first.there), (second.added, second.there)) == ((1, 0), (1, 2))
    kept = folder.sets()["hard"]
    assert (kept["rows"], kept["expected"]) == ([{"text": "bad"}, {"text": "good"}], ["negative", "positive"])


def test_a_set_of_other_fields_or_without_a_name_is_refused_and_stays(folder: TrialFolder) -> None:
    folder.save_set("mine", {"rows": [{"note": "x"}], "expected": [""]})
    with pytest.raises(JobError, check=coded("other-fields")):
        add_to_set(folder, "mine", request("good"), [0])
    with pytest.raises(JobError, check=coded("name-missing")):
        add_to_set(folder, "  ", request("good"), [0])
    assert list(folder.sets()) == ["mine"] and folder.sets()["mine"]["rows"] == [{"note": "x"}]


def test_examples_are_labelled_cases_each_once_and_bounded() -> None:
    asked = request("a", "b", "c", "A", expected=("positive", "", "neither", "positive"))
    found = examples_of(variant(), asked, [0, 1, 2, 3])
    assert ([one.fields["text"] for one in found.examples], found.unlabelled, found.over) == (["a"], 2, 0)
    many = [str(place) for place in range(MOST_EXAMPLES + 2)]
    found = examples_of(variant(), request(*many, expected=("positive",) * len(many)), range(len(many)))
    assert (len(found.examples), found.over) == (MOST_EXAMPLES, 2)


def test_examples_stand_before_the_text_with_their_words_and_braces_stay() -> None:
    template = Template("t", text="{text} is", words={"positive": " good", "negative": " bad"})
    shown = Variant(template=template.canonical(), labels=LABELS, examples=(example("{x}"), example("y", "negative")))
    assert shown.made().render({"text": "z"}).text() == "{x} is good\n\ny is bad\n\nz is"


def test_a_chat_shows_examples_as_turns_of_their_own() -> None:
    made = variant(CHAT, examples=(example("{soft} x"),)).made()
    said = [(turn.role, "".join(map(str, turn.pieces))) for turn in made.render({"text": "y"}).turns]
    assert said == [
        ("system", "Be {brief}."),
        ("user", "Mood of {soft} x?"),
        ("assistant", "positive"),
        ("user", "Mood of y?"),
    ]


def test_constants_are_filled_in_and_turns_follow() -> None:
    template = Template("c", messages=(Message("user", "{tone}: {text} {{}}"),))
    made = composed(template, {"tone": "{dry}", "other": "x"}, (), (SaidTurn(role="assistant", content="{a}"),))
    assert made.variables == ("text",)
    assert [one.content for one in made.messages or ()] == ["{{dry}}: {text} {{}}", "{{a}}"]
    with pytest.raises(PromptError, check=coded("not-a-chat")):
        composed(PLAIN, {}, (), (SaidTurn(role="user", content="x"),))


def test_a_variant_without_additions_is_the_template_itself() -> None:
    assert variant().made().canonical() == PLAIN.with_words(LABELS).canonical()
    assert composed(CHAT, {"no": "x"}, (), ()) is CHAT


def test_rows_that_a_variant_shows_are_left_out_and_never_scored(ws: Workspace, folder: TrialFolder) -> None:
    shows = variant(examples=(example("A lovely  day"),))
    rows = [{"text": "a lovely day"}, {"text": "an awful day"}]
    assert left_out([variant(), shows], rows) == {0}
    asked = TrialRequest(variants=(shows,), rows=rows, expected=("positive", "negative"))
    folder.add(RUN, asked.model_dump(mode="json"))
    run_trial(ws, folder, RUN)
    cells = read_trial(folder, RUN).cells
    assert (cells[0, 0].code, cells[0, 0].answer) == ("own-example", None)
    assert cells[0, 1].error is None and "a lovely  day" in cells[0, 1].text.lower()
