"""Whoever is not let in sees one panel and no page; whoever is sees their name and role, and what they may not do."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace
from tests.pages.messages import messages
from tests.pages.visitors import AUTH, let_in, write_people

ROOT = Path(__file__).parents[2]


def small() -> None:
    import streamlit as st

    from app.panels.front.sidebar import draw_sidebar
    from app.panels.front.sign_in import let_in
    from fedprompt.workspace.home import find_home

    person = let_in()
    if person is not None:
        draw_sidebar(find_home().path, "alone", person)
        st.markdown("the page")


def acting() -> None:
    import streamlit as st

    from app.session import guarded, workspace
    from app.visitor import barred, cancel, require, submit

    @guarded
    def retire() -> None:
        require("retire")
        st.session_state["retired"] = True

    @guarded
    def draw() -> None:
        closed = barred("retire")
        st.button("Retire", disabled=closed, on_click=retire)
        if st.button("Tune"):
            st.markdown(submit(workspace(), "assets", {}))
        if st.button("Odd"):
            submit(workspace(), "no-such-kind", {})
        if st.button("Stop"):
            cancel(workspace(), workspace().bank.jobs()[0].id)
            st.markdown("stopped")

    draw()


@pytest.fixture
def at(home: Path) -> AppTest:
    write_people(home)
    return AppTest.from_function(small, default_timeout=60)


@pytest.fixture
def deeds(home: Path, ws: Workspace) -> AppTest:
    write_people(home)
    return AppTest.from_function(acting, default_timeout=60)


def words(at: AppTest) -> str:
    shown = [one.value for kind in (at.markdown, at.caption, at.error) for one in kind]
    return "\n".join(str(one) for one in shown).replace("\\", "").replace("\N{WORD JOINER}", "")


def test_without_sign_in_the_user_of_the_machine_is_let_in_and_told_so(at: AppTest) -> None:
    at.run()
    assert "the page" in words(at)
    assert "sidebar_nobody_signs_in" in messages(at)
    assert not at.button


def test_whoever_has_not_signed_in_sees_the_button_and_nothing_else(at: AppTest) -> None:
    let_in(at, None)
    assert "the page" not in words(at)
    assert [one.key for one in at.button] == ["sign_in_default"]
    assert not at.sidebar.markdown


@pytest.mark.parametrize(("groups", "role"), [(["ops"], "operator"), (["eng", "x"], "engineer"), ([], "viewer")])
def test_the_sidebar_names_who_it_is_with_their_role_and_the_way_out(at: AppTest, groups: list[str], role: str) -> None:
    let_in(at, "Ada *L*", *groups, email="ada@a.org", email_verified=True)
    assert not at.exception
    assert "the page" in words(at)
    assert f"sidebar_{role}" in messages(at)
    assert "Ada *L*" in words(at) and "ada@a.org" in words(at)
    assert [one.key for one in at.button] == ["sidebar_sign_out"]


def test_a_sign_in_runs_out(at: AppTest) -> None:
    let_in(at, "Ada", "ops", hours_ago=12.1)
    assert "the page" not in words(at)
    assert "sign_in_again" in messages(at)
    assert [one.key for one in at.button] == ["sign_in_default"]


def test_whoever_the_rules_shut_out_is_told_whom_to_ask(at: AppTest, home: Path) -> None:
    write_people(home, 'others = "nobody"\n')
    let_in(at, "Eve", "ops")
    assert "the page" not in words(at)
    assert "sign_in_shut_out" in messages(at)
    assert [one.key for one in at.button] == ["sign_in_out"]


@pytest.mark.parametrize("text", ["hours = 0", "claim = ["])
def test_rules_that_cannot_be_used_let_nobody_in(at: AppTest, home: Path, text: str) -> None:
    write_people(home, text)
    let_in(at, "Ada", "ops")
    assert "the page" not in words(at)
    assert "people.toml" in words(at)


def test_a_role_that_is_taken_away_is_gone_at_the_next_click(at: AppTest, home: Path) -> None:
    let_in(at, "Ada", "ops")
    assert "sidebar_operator" in messages(at)
    write_people(home, 'claim = "groups"\noperator = ["somebody else"]\n')
    let_in(at, "Ada", "ops")
    assert "sidebar_viewer" in messages(at)


def test_a_section_that_lacks_something_lets_nobody_in(at: AppTest) -> None:
    at.secrets = {"auth": {key: value for key, value in AUTH.items() if key != "client_id"}}
    at.run()
    assert "the page" not in words(at)
    assert "client_id" in words(at)


def test_a_server_past_the_homes_secrets_lets_nobody_in(at: AppTest, home: Path) -> None:
    (home / "secrets.toml").write_text("[auth]\n")
    at.run()
    assert "the page" not in words(at)
    assert "fedprompt ui" in words(at)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", None])
def test_a_server_that_listens_beyond_this_machine_lets_in_only_who_signed_in(at: AppTest, address: str | None) -> None:
    from streamlit import config

    before = config.get_option("server.address")
    config.set_option("server.address", address)
    try:
        at.run()
        assert "the page" not in words(at)
        assert "error_nobody-signs-in" in messages(at)
        let_in(at, "Ada", "ops")
        assert "the page" in words(at)
    finally:
        config.set_option("server.address", before)


def test_no_page_runs_for_whoever_is_not_let_in(home: Path) -> None:
    at = let_in(AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60), None)
    assert not at.exception
    assert not (home / "bank.db").exists()  # which the first page would have made
    assert [one.key for one in at.button] == ["sign_in_default"]


def test_a_control_is_disabled_with_the_reason(deeds: AppTest) -> None:
    let_in(deeds, "Bob", "eng")
    assert deeds.button[0].disabled
    told = messages(deeds)["barred_retire"]
    assert "operator" in told and "engineer" in told
    let_in(deeds, "Ada", "ops")
    assert not deeds.button[0].disabled
    assert "barred_retire" not in messages(deeds)


def test_a_control_that_was_drawn_before_a_role_was_taken_away_does_nothing(deeds: AppTest, home: Path) -> None:
    let_in(deeds, "Ada", "ops")
    write_people(home, 'claim = "groups"\nengineer = ["ops"]\n')
    deeds.button[0].click().run()
    assert "operator" in messages(deeds)["error_not-allowed"]
    assert "retired" not in deeds.session_state
    write_people(home)
    deeds.button[0].proto.disabled = False  # as a browser may; Streamlit hears nothing of it
    deeds.button[0].click().run()
    assert "retired" not in deeds.session_state
    deeds.button[0].click().run()
    assert deeds.session_state["retired"]


def test_a_control_that_was_drawn_before_a_sign_in_ran_out_does_nothing(deeds: AppTest) -> None:
    let_in(deeds, "Ada", "ops")
    deeds.user = {**deeds.user, "iat": 0}
    deeds.button[0].click().run()
    assert "error_not-signed-in" in messages(deeds)
    assert "retired" not in deeds.session_state


def test_jobs_are_started_and_stopped_by_those_who_may(deeds: AppTest, ws: Workspace) -> None:
    let_in(deeds, "Vic")
    deeds.button[1].click().run()
    assert "engineer" in messages(deeds)["error_not-allowed"]
    assert ws.bank.jobs() == ()


def test_a_kind_of_job_that_nobody_thought_of_is_for_operators(deeds: AppTest) -> None:
    let_in(deeds, "Bob", "eng")
    deeds.button[2].click().run()
    assert "operator" in messages(deeds)["error_not-allowed"]


def test_every_kind_of_job_has_its_role() -> None:
    from fedprompt.workspace.jobs.kinds import kinds
    from fedprompt.workspace.jobs.rights import JOBS, READING

    assert {kind.name for kind in kinds()} == {*JOBS, *READING}


READ = (
    "overview",
    "playground",
    "models",
    "leaderboard",
    "map",
    "bank",
    "data",
    "new_study",
    "tune",
    "federation",
    "trust",
)
ACTS = {
    "playground": ("playground_run", "playground_keep", "playground_study_keep"),
    "models": ("models_look", "models_folder_add"),
    "bank": ("bank_file",),
    "data": ("data_file",),
}


@pytest.mark.slow  # every page, once
@pytest.mark.usefixtures("demo_home")
@pytest.mark.parametrize("page", READ)
def test_a_viewer_sees_every_page_and_what_would_change_something_is_disabled(home: Path, page: str) -> None:
    write_people(home)
    at = let_in(AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=60), "Vic")
    assert not at.exception
    assert "error_not-allowed" not in messages(at)
    drawn = {one.key: one for kind in (at.button, at.file_uploader) for one in kind}
    for key in ACTS.get(page, ()):
        assert drawn[key].disabled, key
    if page in ACTS:
        assert [name for name in messages(at) if name.startswith("barred_")]
