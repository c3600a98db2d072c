"""The hub takes an answer only to what it asked, and says why a site did not give one."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Comparison, Score
from fedprompt.verbs.describe import DescribeReply, ask_describe
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.verbs.forms import Reply, Task
from fedprompt.verbs.refusals import REFUSALS, Code, Refusal
from fedprompt.verbs.score import ScoreReply, ask_score
from fedprompt.verbs.tune import TuneReply, ask_tune
from fedprompt.verbs.wire import pack_reply, unpack_task
from tests.coded import coded
from tests.scripted_sites import MODEL, STUDY

STUDY_ID = STUDY.digest(MODEL.info.digest)
ONE, TWO = (Prompt(template) for template in STUDY.candidates()[:2])
START = MODEL.text_init("Overall the feeling is", 3)
Answer = tuple[Reply, Mapping[str, np.ndarray]]


class Canned:
    """A transport to one site that answers as it is told."""

    sites = ("a",)

    def __init__(self, answer: Callable[[Task], Answer | bytes]) -> None:
        self._answer = answer

    def ask(self, site: str, task: bytes) -> Delivered:
        found = self._answer(unpack_task(task).message)
        return Delivered(found if isinstance(found, bytes) else pack_reply(*found), "f" * 64)


def hub(answer: Callable[[Task], Answer | bytes]) -> Hub:
    return Hub(Canned(answer), STUDY_ID)


def score(prompt: Prompt, **changes: object) -> Score:
    body = {"split": "test", "metric": "accuracy", "n": 4, "total": 3.0, "squares": 3.0, "groups": 4}
    return Score.model_validate({"prompt": prompt.id, "group_squares": 0.75, **body, **changes})


def pair(first: Prompt, second: Prompt) -> Comparison:
    body = {"split": "test", "n": 4, "total": 0.0, "squares": 0.0, "better": 0, "worse": 0, "groups": 4}
    return Comparison.model_validate({"first": first.id, "second": second.id, "group_squares": 0.0, **body})


def describe(asked: Task, **changes: object) -> Answer:
    body = {"task": asked.task, "tune": 30, "validation": 20, "test": 20, "labels": (35, 35), **changes}
    return DescribeReply.model_validate(body), {}


def test_an_answer_is_counted_and_the_ledgers_head_is_kept() -> None:
    found = hub(describe)
    assert ask_describe(found, "a").tune == 30
    assert found.received["a"] > 0 and found.heads == {"a": "f" * 64}


def test_an_answer_to_another_task_is_refused() -> None:
    with pytest.raises(FederationError, match="'a'", check=coded("not-what-was-asked")):
        ask_describe(hub(lambda task: describe(task, task="t1:" + "0" * 32)), "a")


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(FederationError, match=r"'a'.*'describe'.*'score'", check=coded("not-what-was-asked")):
        ask_score(hub(describe), "a", [ONE.id])
    with pytest.raises(FederationError, match=r"'a'.*'score'.*'evaluate'", check=coded("not-what-was-asked")):
        ask_evaluate(hub(lambda task: (ScoreReply(verb="score", task=task.task, scores=()), {})), "a", [ONE], "test")


def test_bytes_that_are_no_answer_are_the_sites_failure() -> None:
    with pytest.raises(FederationError, match="'a'", check=coded("not-well-formed")):
        ask_describe(hub(lambda task: b"\x80\x04K\x01."), "a")


@pytest.mark.parametrize(
    "code",
    ["unknown-study", "unknown-prompt", "too-few-cases", "budget-spent", "bad-soft-prompt", "failed", "bad-task"],
)
def test_a_refusal_is_told_in_words(code: Code) -> None:
    with pytest.raises(FederationError, match=f"'a'.*{re.escape(REFUSALS[code].hub)}", check=coded(code)):
        ask_describe(hub(lambda task: (Refusal.model_validate({"task": task.task, "code": code}), {})), "a")


@pytest.mark.parametrize(
    "scores",
    [
        (),
        (score(ONE),),
        (score(ONE), score(ONE)),
        (score(ONE), score(TWO), score(TWO)),
        (score(ONE), score(TWO, split="validation")),
        (score(ONE), score(TWO, n=0, total=0.0, squares=0.0, groups=0, group_squares=0.0)),
    ],
)
def test_scores_of_anything_but_what_was_asked_are_refused(scores: tuple[Score, ...]) -> None:
    with pytest.raises(FederationError, match="'a'", check=coded("not-what-was-asked")):
        ask_evaluate(
            hub(lambda task: (ScoreReply(verb="evaluate", task=task.task, scores=scores), {})), "a", [ONE, TWO], "test"
        )


def test_comparisons_of_anything_but_what_was_asked_are_refused() -> None:
    def answer(task: Task) -> Answer:
        scores = (score(ONE), score(TWO))
        return ScoreReply(verb="evaluate", task=task.task, scores=scores, comparisons=(pair(TWO, ONE),)), {}

    assert ask_evaluate(hub(answer), "a", [ONE, TWO], "test", [(TWO.id, ONE.id)]).comparisons == (pair(TWO, ONE),)
    with pytest.raises(FederationError, check=coded("not-what-was-asked")):
        ask_evaluate(hub(answer), "a", [ONE, TWO], "test", [(ONE.id, TWO.id)])


@pytest.mark.parametrize(("shape", "round"), [((4, 16), 1), ((3, 15), 1), ((3, 16), 2)])
def test_an_update_of_another_shape_or_round_is_refused(shape: tuple[int, int], round: int) -> None:
    def answer(task: Task) -> Answer:
        reply = TuneReply(task=task.task, round=round, cases=30, loss=0.5)
        return reply, {"delta": np.zeros(shape, np.float32)}

    with pytest.raises(FederationError, match="'a'", check=coded("wrong-shape")):
        ask_tune(hub(answer), "a", START.vectors, round=1, steps=1, seed=0)


def test_a_task_has_an_id_of_its_own() -> None:
    seen = []

    def answer(task: Task) -> Answer:
        seen.append(task.task)
        return Refusal(task=task.task, code="failed"), {}

    asked = hub(answer)
    for ask in (
        lambda: ask_describe(asked, "a"),
        lambda: ask_score(asked, "a", [ONE.id]),
        lambda: ask_score(asked, "a", [ONE.id, TWO.id]),
        lambda: ask_score(asked, "a", [ONE.id, TWO.id], TWO.id),
        lambda: ask_tune(asked, "a", START.vectors, round=1, steps=1, seed=0),
        lambda: ask_tune(asked, "a", START.vectors, round=2, steps=1, seed=0),
        lambda: ask_evaluate(asked, "a", [ONE, TWO], "test"),
        lambda: ask_evaluate(asked, "a", [ONE, TWO], "validation"),
        lambda: ask_evaluate(asked, "a", [ONE, TWO], "test", [(ONE.id, TWO.id)]),
    ):
        with pytest.raises(FederationError):
            ask()
    assert len(set(seen)) == len(seen) == 9


def test_the_local_transport_knows_its_sites_by_name() -> None:
    transport = LocalTransport({"b": lambda data: Delivered(b"", ""), "a": lambda data: Delivered(data, "h")})
    assert transport.sites == ("a", "b")
    assert transport.ask("a", b"x") == Delivered(b"x", "h")
    with pytest.raises(FederationError, match=r"'c'.*a, b", check=coded("unknown-site")):
        transport.ask("c", b"")


@pytest.mark.parametrize(("version", "older"), [("0.9.0", "site"), ("0.0.1", None)])
def test_a_site_too_many_versions_away_is_told_who_upgrades(version: str, older: str | None) -> None:
    ours = Hub(Canned(describe), STUDY_ID, version=version)
    if older is None:
        assert ask_describe(ours, "a").tune == 30
        return
    with pytest.raises(FederationError, match=rf"'a': .* 0\.9\.0 .*\b{older}\b", check=coded("other-version")):
        ask_describe(ours, "a")
