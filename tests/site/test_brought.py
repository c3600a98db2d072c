"""With ``near`` a site refuses what no honest round can have made, and takes all that honest rounds make."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import SiteRefused
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.policy import Policy, write_policy
from fedprompt.study.reach import reach, rounds_before
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.verbs.tune import ask_tune
from tests.scripted_sites import MODEL, STUDY, study, worker

START = MODEL.text_init("Overall the feeling is", 3)


def hub_of(path: Path, *, near: bool) -> Hub:
    site = worker(path)
    write_policy(path / "clinic" / "policy.json", Policy(near=near))
    return Hub(LocalTransport({"clinic": site.handle}), STUDY.digest(MODEL.info.digest))


def test_round_1_begins_at_the_studys_start_and_nowhere_else(tmp_path: Path) -> None:
    crafted = START.vectors + np.float32(0.01)
    hub = hub_of(tmp_path, near=True)
    with pytest.raises(SiteRefused):
        ask_tune(hub, "clinic", crafted, round=1, steps=2, seed=0)
    update = ask_tune(hub, "clinic", START.vectors, round=1, steps=2, seed=0)
    # The next round may begin where that update leads.
    ask_tune(hub, "clinic", START.vectors + update.delta, round=2, steps=2, seed=0)
    anywhere = hub_of(tmp_path / "other", near=False)
    ask_tune(anywhere, "clinic", crafted, round=1, steps=2, seed=0)


def test_a_prompt_that_no_rounds_lead_to_is_not_scored(tmp_path: Path) -> None:
    def prompt(by: float) -> Prompt:
        return Prompt(STUDY.soft_template(), SoftPrompt(START.vectors + np.float32(by), MODEL.info.digest))

    hub = hub_of(tmp_path, near=True)
    # Two rounds of two steps at 0.05 move a number by 0.2, twice that with slack.
    ask_evaluate(hub, "clinic", [prompt(0.2)], "validation")
    with pytest.raises(SiteRefused):
        ask_evaluate(hub, "clinic", [prompt(0.5)], "validation")


def test_reach_follows_from_the_strategy() -> None:
    by_mean = reach(STUDY, 4, 3)
    assert by_mean == pytest.approx(2 * 3 * 0.05 * 2 * 2, abs=0.01)
    momentum = study(rounds={"strategy": {"name": "fedavgm", "options": {"momentum": 0.9}}})
    assert reach(momentum, 4, 3) == pytest.approx(10 * by_mean, rel=0.01)
    assert reach(study(rounds={"strategy": {"name": "fedadam"}}), 4, 3) == np.inf
    assert rounds_before(STUDY, 3, "all") == 2 and rounds_before(STUDY, 3, "group") is None
    assert rounds_before(study(rounds={"strategy": {"name": "fedbuff"}}), 3, "all") is None
