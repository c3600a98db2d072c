import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.exporting import export_prompts
from fedprompt.workspace.workspace import Workspace, open_workspace

Open = Callable[..., AppTest]


@pytest.fixture
def tuned(ws: Workspace, demo_home: Path) -> str:
    return [row.id for row in ws.bank.prompts() if row.origin == "federated"][2]


def test_an_empty_bank_says_what_to_do(open_page: Open) -> None:
    assert "import a bundle below" in open_page("bank").info[0].value


def test_the_table_holds_every_prompt_with_its_origin_and_mean(open_page: Open, ws: Workspace, tuned: str) -> None:
    table = open_page("bank").dataframe[0].value
    assert len(table) == len(ws.bank.prompts())
    one = table[table["prompt"] == "tuned together, round 3"].iloc[0]
    assert one["mean"] > 85
    assert set(table["from"]) >= {"written for the study", "tuned at tweets"}


def test_a_link_shows_the_prompt_in_full_with_what_it_was_made_from(open_page: Open, tuned: str) -> None:
    at = open_page("bank", tuned)
    facts = at.table[0].value
    shown = " ".join(str(value) for value in facts.to_numpy().ravel())
    assert "tuned together, round 2" in shown
    assert tuned in shown
    assert "8 tuned vectors" in at.html[0].value


def test_a_format_that_cannot_hold_the_prompt_is_greyed_with_the_reason_and_the_one_to_take(
    open_page: Open, tuned: str
) -> None:
    at = open_page("bank", tuned)
    assert not at.button(key="bank_write_bundle").disabled
    assert at.button(key="bank_write_langchain").disabled
    reasons = [element.value for element in at.caption if ":material/block:" in element.value]
    assert any("holds only text" in reason and "instead." in reason for reason in reasons)


def test_a_bundle_is_written_offered_for_download_and_comes_back_as_the_same_prompt(
    open_page: Open, home: Path, tuned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("bank", tuned)
    at.button(key="bank_write_bundle").click().run()
    assert not at.error
    written = list((home / "exports").iterdir())
    assert [path.suffix for path in written] == [".zip"]
    assert at.get("download_button")
    monkeypatch.setenv("FEDPROMPT_HOME", str(tmp_path / "elsewhere"))
    other = open_page("bank")
    other.file_uploader(key="bank_file").upload("taken.zip", written[0].read_bytes()).run()
    other.button(key="bank_import").click().run()
    assert "1 prompt came in" in other.success[0].value
    with open_workspace(tmp_path / "elsewhere") as elsewhere:
        assert [row.id for row in elsewhere.bank.prompts()] == [tuned]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"{"])
def test_a_damaged_file_is_told_in_a_sentence_that_names_it(open_page: Open, ws: Workspace, content: bytes) -> None:
    at = open_page("bank")
    at.file_uploader(key="bank_file").upload("odd.zip", content).run()
    at.button(key="bank_import").click().run()
    assert "odd.zip" in at.error[0].value.replace("\\", "")
    assert ws.bank.prompts() == ()


def test_a_bundle_that_climbs_out_of_its_folder_is_refused(
    open_page: Open, ws: Workspace, home: Path, tuned: str, tmp_path: Path
) -> None:
    good = export_prompts(ws, [tuned], "bundle", tmp_path / "good.zip").path
    buffer = BytesIO(good.read_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../../climbed.txt", "x")
    before = len(ws.bank.prompts())
    at = open_page("bank")
    at.file_uploader(key="bank_file").upload("bad.zip", buffer.getvalue()).run()
    at.button(key="bank_import").click().run()
    assert at.error
    assert len(ws.bank.prompts()) == before
    assert not list(tmp_path.rglob("climbed.txt"))


def test_old_exports_make_room_for_new_ones(open_page: Open, home: Path, tuned: str) -> None:
    (home / "exports").mkdir()
    for number in range(9):
        (home / "exports" / f"old-{number}.zip").write_bytes(b"x")
    at = open_page("bank", tuned)
    at.button(key="bank_write_bundle").click().run()
    assert len(list((home / "exports").iterdir())) == 6
