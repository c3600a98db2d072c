"""A site keeps the best on its own cases; its own prompts stay in its folder, under an id that tells nothing."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import DataError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.personal import OwnPrompts, hidden_id
from fedprompt.verbs.choosing import candidates, first_best, mixed
from tests.coded import coded
from tests.scripted_sites import STUDY

TEMPLATES = [Prompt(template) for template in STUDY.candidates()]
STUDY_ID = "s1:" + "a" * 32


def soft(*values: float) -> Prompt:
    return Prompt(STUDY.soft_template(), SoftPrompt(np.array([values], np.float32), "m1:x"))


def test_the_first_of_equals_is_kept() -> None:
    assert first_best({"own": 0.8, "global": 0.9, "manual": 0.9}) == "global"


def test_a_mixture_is_so_much_of_its_own_and_the_rest_of_the_common_prompt() -> None:
    found = mixed(soft(4.0, 0.0), soft(0.0, 8.0), 0.25)
    # 0.25 * 4 + 0.75 * 0 and 0.25 * 0 + 0.75 * 8
    assert found.soft is not None and found.soft.vectors.tolist() == [[1.0, 6.0]]


def test_all_that_a_site_may_keep_is_among_the_candidates_in_order() -> None:
    common, group, own = soft(0.0), soft(1.0), soft(2.0)
    found = candidates(TEMPLATES, common, group, own, (0.25, 0.75))
    assert [(one.kind, one.share) for one in found] == [
        ("own", None),
        ("group", None),
        ("global", None),
        ("mixture-group", 0.25),
        ("mixture-group", 0.75),
        ("mixture-global", 0.25),
        ("mixture-global", 0.75),
        *[("manual", None)] * 3,
    ]
    assert [one.kind for one in found if one.hidden] == ["own", *["mixture-group"] * 2, *["mixture-global"] * 2]
    # A group that kept the common prompt is no other choice than it.
    assert [one.kind for one in candidates([], common, common, own, ())] == ["own", "global"]


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_what_is_kept_is_never_worse_than_any_template(values: list[float]) -> None:
    found = candidates(TEMPLATES, soft(0.0), soft(1.0), soft(2.0), (0.5,))
    scored = dict(zip(found, values, strict=True))
    best = scored[first_best(scored)]
    assert all(best >= value for one, value in scored.items() if one.kind == "manual")


def test_a_chosen_prompt_comes_back_under_its_own_id_alone(tmp_path: Path) -> None:
    own, prompt = OwnPrompts(tmp_path, STUDY_ID), soft(1.5, -2.0)
    name = hidden_id(b"k" * 32, prompt)
    assert own.find(name) is None
    own.keep(name, prompt)
    assert own.find(name) == prompt.soft
    assert own.find("h1:" + "0" * 32) is None
    (file,) = tmp_path.iterdir()
    assert os.stat(file).st_mode & 0o777 == 0o600
    file.write_bytes(b"\x08")
    with pytest.raises(DataError, check=coded("cannot-read")):
        own.find(name)


def test_the_id_tells_nothing_without_the_sites_key() -> None:
    prompt = soft(1.0)
    one, other = hidden_id(b"a" * 32, prompt), hidden_id(b"b" * 32, prompt)
    assert one != other and one[:3] == "h1:" and one[3:] not in prompt.id
    assert hidden_id(b"a" * 32, soft(2.0)) != one
