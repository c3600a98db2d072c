"""Where a federation is begun: files that cannot take part, a forecast that fails, and a run that was run before."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.errors import DataError
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets, keep_file
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages
from tests.scripted_sites import cases

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
BOTH = ["clinic / clinic.csv", "ward / ward.csv"]


def table(site: str, header: str = "text,answer", count: int = 80) -> bytes:
    lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, count)]
    return ("\n".join([header, *lines]) + "\n").encode()


def begun(open_page: Open, ws: Workspace) -> AppTest:
    """The page with two files of a study chosen."""
    add_study(ws)
    for name in ("clinic", "ward"):
        add_set(ws, name, f"{name}.csv")
    at = open_page("federation")
    at.multiselect(key="federation_sites").set_value(BOTH).run()
    return at


def test_a_file_that_cannot_be_read_is_not_kept_and_spoils_no_file_of_its_name(ws: Workspace) -> None:
    path = keep_file(ws.home, "clinic", "clinic.csv", b"text,answer\nfine,positive\n")
    for name, content in (("clinic.csv", b"text,answer\nquixotry\xff,positive\n"), ("clinic.pq", b"PAR1 no parquet")):
        with pytest.raises(DataError, check=coded("not-utf-8", "not-parquet")) as refused:
            keep_file(ws.home, "clinic", name, content)
        assert str(ws.home.path) not in str(refused.value) and "quixotry" not in str(refused.value)
    assert [one.path for one in evaluation_sets(ws.home)] == [path] and len(list(path.parent.iterdir())) == 1
    assert path.read_bytes() == b"text,answer\nfine,positive\n"


def test_a_dropped_file_that_cannot_be_read_is_said_and_not_offered_as_a_site(open_page: Open, ws: Workspace) -> None:
    at = begun(open_page, ws)
    at.file_uploader[0].set_value(("odd.csv", b"text,answer\nquixotry\xff,positive\n", "text/csv")).run()
    assert "odd.csv" in at.error[0].value and at.multiselect(key="federation_sites").value == BOTH
    at.run()
    assert at.error and [one.site for one in evaluation_sets(ws.home)] == ["ward", "clinic"]


def test_a_file_that_was_kept_and_is_damaged_is_named_and_can_be_removed(open_page: Open, ws: Workspace) -> None:
    add_set(ws, "lab", "lab.csv").path.write_bytes(b"\xff\xfe\xff")
    at = begun(open_page, ws)
    assert at.multiselect(key="federation_sites").options == list(reversed(BOTH))
    assert "lab.csv" in messages(at)["federation_unreadable"]
    assert at.selectbox(key="federation_remove_which").value == "lab / lab.csv"
    at.button(key="federation_remove").click().run()
    assert {one.site for one in evaluation_sets(ws.home)} == {"clinic", "ward"} and not at.warning


def test_a_file_without_the_columns_is_named_before_anything_runs(open_page: Open, ws: Workspace) -> None:
    at = begun(open_page, ws)
    keep_file(ws.home, "lab", "lab.csv", table("lab", "text,mood"))
    at.run()
    at.multiselect(key="federation_sites").set_value([*BOTH, "lab / lab.csv"]).run()
    assert "“answer”" in (told := messages(at)["federation_lacking"]) and "lab.csv" in told
    assert at.button(key="federation_start").disabled


def test_a_forecast_that_fails_says_why_and_leaves_start_in_place(open_page: Open, ws: Workspace) -> None:
    at = begun(open_page, ws)
    keep_file(ws.home, "lab", "lab.csv", table("lab") + b"more,unheard-of\n")
    at.run()
    at.multiselect(key="federation_sites").set_value(["clinic / clinic.csv", "lab / lab.csv"]).run()
    at.button(key="federation_forecast_ask").click().run()
    assert len(at.error) == 1 and not at.button(key="federation_start").disabled
