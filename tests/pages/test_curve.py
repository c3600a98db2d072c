"""The picture of what shared prompts are worth by how many labelled cases a site has."""

import json

from streamlit.testing.v1 import AppTest

from app.panels.scores.curve import said_curve, said_needed
from fedprompt.workspace.results.worth import CurvePoint


def measured(
    n: int,
    alone: float,
    shared: float,
    low: float | None = None,
    high: float | None = None,
    needed: float | None = None,
) -> CurvePoint:
    gain = round(shared - alone, 6)
    return CurvePoint(n=n, sites=8, alone=alone, shared=shared, gain=gain, low=low, high=high, needed=needed)


CURVE = (
    measured(0, 0.40, 0.65, 0.2, 0.3, 14),
    measured(4, 0.50, 0.68),
    measured(16, 0.63, 0.75, 0.08, 0.16, 90),
    measured(64, 0.73, 0.76, -0.01, 0.07),
)


def test_how_many_cases_as_much_would_take_alone_is_told_where_it_is_known() -> None:
    assert " 90 " in str(said_needed(CURVE, 20)) and " 16 " in str(said_needed(CURVE, 20))
    assert " 14 " in str(said_needed(CURVE, 0))
    assert said_needed(CURVE, 64) is None and said_needed(CURVE, 4) is None


def test_the_picture_is_told_in_words_and_its_numbers_stand_in_a_table() -> None:
    def page() -> None:
        from app.panels.scores.curve import draw_curve
        from tests.pages.test_curve import CURVE

        draw_curve(CURVE, here=20)

    at = AppTest.from_function(page, default_timeout=30).run()
    assert not at.exception
    (chart,) = at.get("vega_lite_chart")
    spec = json.loads(chart.proto.spec)
    domains = {json.dumps(layer["encoding"]["x"]["scale"]["domain"]) for layer in spec["layer"]}
    assert domains == {"[-0.3, 97.2]"}  # to the 90 cases that as much takes alone, and a little further
    assert all(number in said_curve(CURVE)[2] for number in ("16", "63.0", "75.0"))
    table = at.table[0].value
    assert list(table["Labelled cases"]) == ["0", "4", "16", "64"]
    assert list(table["Gain, points"])[1:3] == ["+18.0", "+12.0 (+8.0 to +16.0)"]
    assert table.shape == (4, 7) and len(set(table.iloc[:, 5])) == 1  # of no site
    assert list(table.iloc[:, 6]) == ["14 cases", "more than 64 cases", "90 cases", "more than 64 cases"]


def test_without_a_measurement_it_says_so_and_draws_nothing() -> None:
    def page() -> None:
        from app.panels.scores.curve import draw_curve

        draw_curve(())

    at = AppTest.from_function(page, default_timeout=30).run()
    assert len(at.caption) == 1 and not at.get("vega_lite_chart")
