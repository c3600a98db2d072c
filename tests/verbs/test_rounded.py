"""Prompts that a hub brings are scored in round numbers, which the hub takes as true; templates exactly."""

from pathlib import Path

import pytest

from benchmarks.attackers.scores import spread_prompts
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.evaluate import ask_evaluate
from tests.attacks.attacked import START
from tests.scripted_sites import MODEL, study, worker

NEAREST = 5  # of 20 cases


@pytest.mark.parametrize(("details", "nearest"), [("templates", NEAREST), ("totals", 1)])
def test_scores_of_a_soft_prompt_are_multiples_and_those_of_a_template_are_not(
    tmp_path: Path, details: str, nearest: int
) -> None:
    chosen = study(privacy={"details": details})
    site = worker(tmp_path, chosen=chosen)
    hub = Hub(LocalTransport({"clinic": site.handle}), site.digest, held_to=chosen)
    ask_describe(hub, "clinic")
    template = Prompt(chosen.candidates()[0])
    soft = [Prompt(chosen.soft_template(), SoftPrompt(one, MODEL.info.digest)) for one in spread_prompts(START, 8)]
    pairs = [(one.id, template.id) for one in soft] + [(soft[0].id, soft[1].id)]
    reply = ask_evaluate(hub, "clinic", [template, *soft], "validation", pairs)
    scores = {one.prompt: one for one in reply.scores}
    assert scores[template.id].confusion and scores[template.id].total % NEAREST
    brought = [scores[one.id] for one in soft]
    assert all(one.total % nearest == 0 and not one.confusion for one in brought)
    assert all(pair.better % nearest == pair.worse % nearest == 0 for pair in reply.comparisons)
    exact = [one for one in brought if one.group_squares == pytest.approx(one.total * (1 - one.total / one.n))]
    assert len(exact) == (len(brought) if nearest == 1 else 0)
