"""What to do next follows from a machine's role, its files and studies, and what was found."""

import pytest

from app.panels.front.next_steps import MOST, Stock, steps_of
from fedprompt.workspace.results.views import LeaderRow


def row(id: str, kind: str) -> LeaderRow:
    nothing = dict.fromkeys(("mean", "worst", "interval", "probability_best", "distinguishable"))
    more = {"test_mean": None, "test_interval": None}
    return LeaderRow(id=id, name=id, kind=kind, origin="study", sites={}, nominated=False, **nothing, **more)


BEST = (row("tuned", "soft"), row("other", "soft"), row("plain", "template"))


@pytest.mark.parametrize(
    ("kind", "stock", "pages"),
    [
        ("alone", Stock(), ["data"]),
        ("alone", Stock(files=1), ["new_study"]),
        ("alone", Stock(files=2, studies=1, tunable=1), ["tune", "federation"]),
        ("hub", Stock(), ["new_study"]),
        ("hub", Stock(studies=1, sites=1), []),
        ("hub", Stock(studies=1, sites=2), ["federation"]),
        ("site", Stock(), ["data"]),
        ("site", Stock(files=1, studies=1, tunable=1, accepted=1), ["tune", "trust"]),
    ],
)
def test_without_a_result_the_next_step_is_what_is_missing(kind: str, stock: Stock, pages: list[str]) -> None:
    assert [step.page for step in steps_of(kind, stock, ())] == pages


def test_a_result_is_tried_compared_with_the_best_template_and_exported_first() -> None:
    found = steps_of("alone", Stock(files=2, studies=1, tunable=1), BEST)
    assert [(step.page, step.prompts) for step in found[:3]] == [
        ("playground", ("tuned",)),
        ("compare", ("tuned", "plain")),
        ("bank", ("tuned",)),
    ]
    assert len(found) <= MOST
    assert "playground" not in [step.page for step in steps_of("hub", Stock(), BEST)]


def test_after_a_federation_the_next_steps_are_about_its_prompt() -> None:
    found = steps_of("alone", Stock(), BEST, {"federated": "joint", "manual": "plain"})
    assert [step.prompts for step in found[:3]] == [("joint",), ("joint", "plain"), ("joint",)]
