"""What is said of groups and of what sites keep."""

from dataclasses import replace

import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.verbs.choosing import Choice
from fedprompt.workspace.rounds.grouping import SiteGroup, group_sentences
from fedprompt.workspace.rounds.result_table import SiteDifference
from fedprompt.workspace.rounds.shared_result import kept_sentence
from tests.scripted_sites import STUDY


def test_groups_are_told_with_their_sites_and_what_they_gained() -> None:
    prompt = Prompt(STUDY.candidates()[0])
    groups = (SiteGroup(1, ("a", "b"), prompt, 3, 0.75, 0.721), SiteGroup(2, ("c", "d"), prompt, 2, 0.6, 0.6))
    assert group_sentences(groups, {}) == [
        "group 1 (a, b) has its own prompt, 2.9 points better than the common one on its validation cases",
        "group 2 (c, d) keeps the common prompt, because none of its own rounds was better",
    ]


@pytest.mark.parametrize(("cuts", "why"), [([{"why": "some of them are alike"}], "are alike"), ([], "of the size")])
def test_where_all_stay_together_it_is_said_why(cuts: list[dict[str, str]], why: str) -> None:
    (told,) = group_sentences((), {"cuts": cuts})
    assert told.startswith("all sites stay in one group: ") and why in told


def test_what_a_site_keeps_is_said_with_its_gain() -> None:
    gain = SiteDifference(0.021, 0.004, 0.04, distinguishable=True, p=0.01, n=100)
    mixed = Choice(kind="mixture-group", prompt="h1:" + "0" * 32, share=0.25)
    assert kept_sentence("clinic", mixed, gain) == (
        "clinic keeps a mixture of its own prompt (25 %) and its group's prompt: 2.1 points compared with the best "
        "common template (0.4 to 4.0)"
    )
    plain = Choice(kind="global", prompt="p1:" + "0" * 32)
    assert kept_sentence("clinic", plain, replace(gain, distinguishable=False)).endswith("not significant")
