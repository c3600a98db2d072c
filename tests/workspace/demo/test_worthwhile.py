"""The newcomer's curve and sentence say what its draws came to, whichever way that is."""

import numpy as np
import pytest

from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.demo.newcomer import Drawn, SharedPrompts, shared_prompts
from fedprompt.workspace.demo.tasks import NewcomerSizes
from fedprompt.workspace.demo.worthwhile import NewcomerResult, newcomer_result

SIZES = NewcomerSizes(n=16, counts=(0, 16, 64), spare=10, draws=2, asked=100)
WORDS = {"yes": " yes", "no": " no"}
TEMPLATES = [Prompt(Template(name=name, text=f"{name} {{text}}", words=WORDS)) for name in ("one", "two")]
PROMPTS = SharedPrompts(tuple(TEMPLATES), ("template", "template"), np.array([0.5, 0.5]))


def bits(right: int) -> tuple[int, ...]:
    return (1,) * right + (0,) * (100 - right)


def drawn(n: int, draw: int, template: int, tuned: int, shared: int, *, spare: tuple[int, int] = (0, 0)) -> Drawn:
    alone = {"template": template, "tuned": tuned} if n else {"first": template, "templates": 0}
    right = {way: bits(many) for way, many in alone.items()}
    return Drawn(n, draw, right, dict(zip(right, spare, strict=True)), bits(shared), weights=(0.25, 0.75))


def result(*at16: Drawn) -> NewcomerResult:
    every = [drawn(0, 0, 30, 0, 50, spare=(1, 0)), *at16, *(drawn(64, k, 60, 80, 82, spare=(0, 1)) for k in range(2))]
    return newcomer_result(every, PROMPTS, {TEMPLATES[0].id: "tuned at desk1"}, SIZES)


def test_the_curve_is_the_mean_over_draws() -> None:
    found = result(drawn(16, 0, 40, 60, 75, spare=(5, 6)), drawn(16, 1, 40, 64, 77, spare=(6, 6)))
    at0, at16, at64 = found.curve
    assert (at0.n, at0.draws, at0.alone, at0.alone_by, at0.shared) == (0, 1, 0.3, "first", 0.5)
    assert (at16.n, at16.draws, at16.alone_by) == (16, 2, "tuned")
    assert (at16.alone, at16.shared, at16.gain) == pytest.approx((0.62, 0.76, 0.14))
    assert at16.worst == pytest.approx(0.13) and at16.low < 0.14 < at16.high
    assert at16.by_way == pytest.approx({"template": 0.4, "tuned": 0.62})
    # 0.62 at 16 and 0.80 at 64 cases: 0.76 lies between them.
    assert at16.needed is not None and 16 < at16.needed < 64 and at64.needed is None


def test_the_stronger_way_alone_is_the_one_that_spare_cases_prefer_not_test() -> None:
    found = result(drawn(16, 0, 40, 60, 75, spare=(7, 6)), drawn(16, 1, 40, 64, 77, spare=(6, 6)))
    assert (found.curve[1].alone_by, found.curve[1].alone) == ("template", 0.4)


@pytest.mark.parametrize(
    ("tuned", "shared", "said"),
    [
        (62, 76, "62 % alone and 76 % with shared prompts. Alone, it would need about "),
        (62, 90, "62 % alone and 90 % with shared prompts. Alone, it would need more than 64"),
        (62, 63, "not statistically significant"),
        (76, 62, "Joining cost it 14.0 points ("),
    ],
)
def test_the_sentence_says_what_was_found(tuned: int, shared: int, said: str) -> None:
    found = result(*(drawn(16, k, 40, tuned, shared, spare=(0, 1)) for k in range(2)))
    assert found.sentence.startswith("a newcomer ") and "16 labelled questions" in found.sentence
    assert said in found.sentence


def test_prompts_are_named_and_the_heaviest_comes_first() -> None:
    found = result(*(drawn(16, k, 40, 60, 75) for k in range(2)))
    assert [(one.name, one.weight) for one in found.members] == [("two", 0.75), ("tuned at desk1", 0.25)]


def test_each_shared_prompt_is_there_once_and_templates_weigh_little() -> None:
    model = ScriptedModel()
    slot = Template(name="slot", text="{text}{soft}", words=WORDS)
    soft = [Prompt(slot, model.text_init(text, 2)) for text in ("good", "bad", "fine")]
    templates = dict(zip(TEMPLATES, (0.2, 0.4), strict=True))
    found = shared_prompts({"a": soft[0], "b": soft[1]}, soft[2], templates)
    assert found.prompts == (*TEMPLATES, soft[2], *soft[:2])
    assert found.kinds == ("template", "template", "shared", "shared", "shared")
    assert found.weights == pytest.approx([0.05, 0.05, 0.45, 0.225, 0.225])
    # A prompt that one site tuned alone and all keep is there once.
    assert len(shared_prompts({"a": soft[0], "b": soft[0]}, soft[0], templates).prompts) == 3
