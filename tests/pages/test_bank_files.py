"""The Bank page's files: formats to choose from, what is written, and what comes in."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.display.plain import plain
from app.panels.exchange.taking import ICONS
from fedprompt.exports.registry import formats
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.exchange.exporting import export_prompts
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.new_bank import new_workspace
from tests.pages.evaluation import add_set
from tests.pages.messages import messages
from tests.pages.titled import together

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def write(at: AppTest, format: str) -> None:
    """Look into a format and write it."""
    at.button(key=f"bank_look_{format}").click().run()
    at.button(key="bank_write").click().run()


def test_a_format_that_cannot_hold_the_prompt_is_greyed_with_the_reason_and_the_one_to_take(
    open_page: Open, tuned: str
) -> None:
    at = open_page("bank", tuned)
    titles = {one.name: one.title for one in formats()}
    assert not at.button(key="bank_look_bundle").disabled
    assert at.button(key="bank_look_langchain").disabled
    # A copy of the model would hold it, but the scripted model has no folder to copy.
    assert titles["bundle"] in messages(at)["bank_cannot_langchain"]


def test_a_bundle_is_written_offered_for_download_and_comes_back_as_the_same_prompt(
    open_page: Open, home: Path, tuned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("bank", tuned)
    write(at, "bundle")
    assert not at.error
    written = list((home / "exports").iterdir())
    assert [path.suffix for path in written] == [".zip"]
    assert at.get("download_button")
    monkeypatch.setenv("FEDPROMPT_HOME", str(tmp_path / "elsewhere"))
    other = open_page("bank")
    other.file_uploader(key="bank_file").upload("taken.zip", written[0].read_bytes()).run()
    other.button(key="bank_import").click().run()
    assert "bank_came_in" in messages(other)
    with open_workspace(tmp_path / "elsewhere") as elsewhere:
        assert [row.id for row in elsewhere.bank.prompts()] == [tuned]


def test_before_anything_is_written_a_format_shows_its_files_their_first_lines_and_lines_that_use_it(
    open_page: Open, ws: Workspace, home: Path, demo_home: Path
) -> None:
    template = next(row.id for row in ws.bank.prompts() if row.name == "terse")
    at = open_page("bank", template)
    assert not any(button.key == "bank_write" for button in at.button)
    at.button(key="bank_look_langchain").click().run()
    name = f"terse-{template[3:9]}-langchain.json"
    assert list(at.dataframe[-1].value["File"]) == [name]
    head, use = at.code[-2].value, at.code[-1].value
    if "pathlib" in head:
        head, use = use, head
    assert "PromptTemplate" in head and f'pathlib.Path("{name}")' in use and '{"text": "..."}' in use
    assert not (home / "exports").exists()
    at.button(key="bank_look_bundle").click().run()
    assert set(at.dataframe[-1].value["File"]) >= {"bank.json", "hashes.json", "README.md", "signature.json"}
    assert not list(home.glob("preview-*"))
    # A reload is a new session: what it has is the address.
    assert "bundle" in at.query_params["format"]
    again = open_page("bank", template)
    again.query_params["format"] = "langchain"
    again.run()
    assert again.button(key="bank_write") and list(again.dataframe[-1].value["File"]) == [name]


def test_a_refusal_names_the_prompt_as_the_page_does(open_page: Open, ws: Workspace, tuned: str) -> None:
    template = next(row.id for row in ws.bank.prompts() if row.name == "terse")
    at = open_page("bank", template, tuned)
    reasons = [words for name, words in messages(at).items() if name.startswith("bank_cannot_")]
    assert any(f"“{together(3)}”" in reason for reason in reasons)
    assert not any("soft prompt'" in reason for reason in reasons)


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


def test_every_format_stands_once_in_one_of_three_groups(open_page: Open, tuned: str) -> None:
    at = open_page("bank", tuned)
    offered = sorted(str(button.key) for button in at.button if str(button.key).startswith("bank_look_"))
    assert offered == sorted(f"bank_look_{known.name}" for known in formats())
    groups = [name for name in messages(at) if name.startswith("bank_group_")]
    assert groups == ["bank_group_0", "bank_group_1", "bank_group_2"]


def test_no_two_formats_share_an_icon_and_none_has_one_that_there_is_not() -> None:
    assert len(set(ICONS.values())) == len(ICONS)
    assert set(ICONS) <= {known.name for known in formats()}


def test_a_signed_bundle_tells_its_key_after_export_and_after_import(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    at = open_page("bank", tuned)
    write(at, "bundle")
    key = home_signer(ws.home).fingerprint
    assert key in messages(at)["bank_written_signed"]
    content = next(ws.home.exports.iterdir()).read_bytes()
    at.file_uploader(key="bank_file").upload("taken.zip", content).run()
    at.button(key="bank_import").click().run()
    assert f"`{key}`" in messages(at)["bank_signed"]


@pytest.mark.parametrize("name", ["csv", "card", "promptfoo", "prompty", "hf-templates"])
def test_a_written_template_tells_what_was_dropped_and_that_nobody_signed_a_plain_file(
    open_page: Open, ws: Workspace, demo_home: Path, tmp_path: Path, name: str
) -> None:
    template = next(row.id for row in ws.bank.prompts() if row.name == "terse")
    expected = export_prompts(ws, [template], name, tmp_path / "aside.zip").dropped
    at = open_page("bank", template)
    write(at, name)
    assert not at.error
    told = messages(at)
    assert ("bank_all_kept" in told, "bank_dropped" in told) == (not expected, bool(expected))
    assert ("bank_written_unsigned" in told) is (name != "promptfoo")


def test_a_prompt_that_is_here_in_another_order_is_told_at_its_coming_and_beside_it(
    open_page: Open, ws: Workspace, tmp_path: Path
) -> None:
    here = Prompt(Template("a [link](x)", text="Mood of {text}: good or bad?"))
    ws.bank.record_prompt(here, study=None, origin="typed")
    with new_workspace(tmp_path / "other") as other:
        there = Prompt(Template("b", text="good or bad? Mood of {text}:"))
        id = other.bank.record_prompt(there, study=None, origin="typed")
        bundle = export_prompts(other, [id], "bundle", tmp_path / "b.zip").path
    at = open_page("bank")
    at.file_uploader(key="bank_file").upload("b.zip", bundle.read_bytes()).run()
    at.button(key="bank_import").click().run()
    assert "a [link](x)" in messages(at)[f"bank_came_alike_{id}"]
    assert not any("[link](" in one.value for one in at.caption)
    at = open_page("bank", id)
    assert f"bank_alike_{id}" in messages(at)


def test_a_prompty_file_comes_in_under_its_own_name_and_says_that_nobody_signed_it(open_page: Open) -> None:
    at = open_page("bank")
    text = "---\nmodel:\n  api: chat\n---\nuser:\nIs this kind? {{text}}\n"
    at.file_uploader(key="bank_file").upload("Kind words.prompty", text.encode()).run()
    at.button(key="bank_import").click().run()
    assert not at.error
    assert "Kind words" in messages(at)["bank_came_in"] and "bank_unsigned" in messages(at)


def test_an_import_tells_all_that_it_left_out_by_the_files_own_name(open_page: Open) -> None:
    at = open_page("bank")
    prompts = "".join(f"- {{raw: 'Is {number} {{{{text}}}}?', config: {{a: 1}}}}\n" for number in range(24))
    text = f"providers: [x]\nprompts:\n{prompts}"
    at.file_uploader(key="bank_file").upload("theirs.yaml", text.encode()).run()
    at.button(key="bank_import").click().run()
    told = [one.value for one in at.warning]
    assert "providers" in told[0] and plain("theirs.yaml") in told[0]
    # The providers, each prompt's settings and that there are no label words make 26; 20 are shown.
    assert len(told) == 21
    assert messages(at)["bank_left_out_more"].startswith("6 ")
    assert "import-" not in " ".join(told)


@pytest.mark.parametrize(
    "stem", ["𐐀" * 100, "\u202egnp", "con", "-rf"]
)  # four bytes each; right to left; a device; an option
def test_a_file_of_a_hostile_name_comes_in(open_page: Open, stem: str) -> None:
    at = open_page("bank")
    at.file_uploader(key="bank_file").upload(f"{stem}.prompty", b"user:\nIs this kind? {{text}}\n").run()
    at.button(key="bank_import").click().run()
    assert not at.error
    assert "bank_came_in" in messages(at)


def test_old_exports_make_room_for_new_ones(open_page: Open, home: Path, tuned: str) -> None:
    (home / "exports").mkdir()
    for number in range(9):
        (home / "exports" / f"old-{number}.zip").write_bytes(b"x")
    at = open_page("bank", tuned)
    write(at, "bundle")
    assert len(list((home / "exports").iterdir())) == 6


def test_a_download_belongs_to_the_format_that_is_shown(open_page: Open, tuned: str) -> None:
    at = open_page("bank", tuned)
    write(at, "bundle")
    assert at.get("download_button")
    at.button(key="bank_look_card").click().run()
    assert not at.get("download_button")
    at.button(key="bank_look_bundle").click().run()
    assert at.get("download_button")


def test_everything_with_a_tag_is_taken_away_and_exported_again_once_the_tag_has_moved(
    open_page: Open, ws: Workspace, home: Path, tuned: str
) -> None:
    terse, feeling = (next(row.id for row in ws.bank.prompts() if row.name == name) for name in ("terse", "feeling"))
    ws.bank.tag_prompt(terse, "mood@production", by="Ada", signer=home_signer(ws.home))
    at = open_page("bank")
    at.pills(key="bank_take_none").set_value("@production").run()
    write(at, "langchain")
    assert [path.name for path in (home / "exports").iterdir()] == ["production-langchain.json"]
    ws.bank.tag_prompt(feeling, "mood@production", by="Ada", signer=home_signer(ws.home))
    at = open_page("bank")
    (again,) = [button for button in at.button if (button.key or "").startswith("bank_again_")]
    assert any("<mark" in one.value for one in at.html)
    again.click().run()
    assert not at.error and at.get("download_button")
    assert feeling in (home / "exports" / "production-langchain.json").read_text()


def test_a_soft_prompt_can_be_turned_into_words_beside_a_format_that_holds_only_text(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    at = open_page("bank", tuned)
    assert "bank_words_bundle" not in [button.key for button in at.button]
    at.button(key="bank_words_langchain").click().run()
    assert "bank_words_no_file" in messages(at)
    add_set(ws)
    at.run()
    assert not at.button(key="bank_words_start").disabled
    assert at.selectbox(key="bank_words_data").options == ["this-site / clinic.csv"]


@pytest.mark.usefixtures("demo_home")
def test_an_export_is_filled_in_with_one_case_by_its_library(open_page: Open, ws: Workspace) -> None:
    at = open_page("bank", next(row.id for row in ws.bank.prompts() if row.name == "terse"))
    at.button(key="bank_look_langchain").click().run()
    (box,) = [area for area in at.text_area if (area.key or "").startswith("bank_try_langchain")]
    box.set_value("quixotry's day").run()
    at.button(key="bank_try_run").click().run()
    assert not at.error and any("quixotry's day" in one.value for one in at.code)
    assert "bank_tried_same" in messages(at)
    job = next(job for job in ws.bank.jobs() if job.kind == "export-try")
    assert job.arguments == {} and job.result is None  # what was typed is not kept
