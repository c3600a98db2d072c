"""No reason of any scorer that is shipped quotes a case, whatever the output, the answer and the fields are."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.evaluation.scorers import Resources, Sample, configure, scorer_names
from fedprompt.evaluation.scorers.registry import is_shipped
from fedprompt.study.schema import ScorerSpec

SECRET = "quixotry"
OPTIONS: dict[str, dict[str, object]] = {
    "regex": {"pattern": f"({SECRET}) (.*)", "compare": True},
    "json-schema": {"schema": {"type": "object", "required": [SECRET], "properties": {SECRET: {"const": SECRET}}}},
    "judge": {"rubric": f"Is it {SECRET}?", "show": ["text"]},
}
OUTPUTS = (
    *("", SECRET, f"{SECRET} was here", f"a {SECRET}", "12.5", f"12.5 {SECRET} 13"),
    *(f'{{"{SECRET}": "{SECRET}"}}', f'{{"{SECRET}": 1}}', f'{{"{SECRET}"', f'["{SECRET}"]', f"```json\n{SECRET}\n```"),
    *(SECRET * 20_000, f'{{"{SECRET}": 1, "{SECRET}": 2}}', "NaN"),
)


class Talkative:
    """A judge that quotes what it was asked, in the form asked for and not."""

    def ask(self, prompt: str) -> str:
        return f"{SECRET}\nScore: 3" if len(prompt) % 2 else f"{SECRET} Score: {SECRET}"


class Flat:
    """An encoder for which all texts are alike."""

    width = 2

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 2), np.float32) / np.sqrt(np.float32(2))


@pytest.mark.parametrize("name", scorer_names())
def test_a_reason_is_a_fixed_sentence(name: str) -> None:
    assert is_shipped(name)
    spec = ScorerSpec(name=name, options=OPTIONS.get(name, {}))
    (scorer,) = configure([spec], Resources(encoder=Flat, judge=Talkative))
    samples = [Sample(output, answer, {"text": SECRET}) for output in OUTPUTS for answer in ("", SECRET, "12.5")]
    reasons = {said.reason for said in scorer.score_all(samples)}
    assert reasons and not any(SECRET in reason for reason in reasons)
    # Other texts of the same kind change nothing: what is said does not depend on the words.
    others = [Sample(s.output.replace(SECRET, "zymurgys"), s.answer.replace(SECRET, "zymurgys")) for s in samples]
    assert not any("zymurgy" in said.reason for said in scorer.score_all(others))
