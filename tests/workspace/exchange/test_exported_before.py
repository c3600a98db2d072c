"""An export follows its tags: once one stands for another prompt, the export is out of date and can be made anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import ExportError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Message, Template
from fedprompt.workspace.exchange.exported_before import outdated_exports
from fedprompt.workspace.exchange.tried import try_export
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def add(ws: Workspace, name: str, text: str = "", *, messages: tuple[Message, ...] | None = None) -> str:
    made = Template(name, text=None if messages else text or f"{name} {{text}}", messages=messages)
    return ws.bank.record_prompt(Prompt(made), study=None, origin="import")


def tag(ws: Workspace, prompt: str, tag: str) -> None:
    ws.bank.tag_prompt(prompt, tag, by="Ada", signer=home_signer(ws.home))


def export(ws: Workspace, *prompts: str) -> None:
    number = len(ws.bank.jobs())
    destination = str(ws.home.exports / f"{number}.zip")
    job = submit(ws, "export", {"prompts": list(prompts), "format": "bundle", "destination": destination})
    assert ws.bank.job(job).state == "done"


def test_an_export_of_a_prompt_is_out_of_date_once_its_tag_has_moved(ws: Workspace) -> None:
    old, new = add(ws, "old"), add(ws, "new")
    export(ws, old)
    tag(ws, old, "mood@production")
    export(ws, old, new)
    assert outdated_exports(ws) == ()
    tag(ws, new, "mood@production")
    (found,) = outdated_exports(ws)  # the first export was of a prompt without a tag
    assert (found.format, found.name, dict(found.changes)) == ("bundle", "1.zip", {"mood@production": (old, new)})
    assert found.prompts == (new,)
    export(ws, *found.prompts)
    assert [one.name for one in outdated_exports(ws)] == ["1.zip"]  # another choice of prompts, still as it was


def test_an_export_of_everything_with_a_tag_follows_names_that_come_and_go(ws: Workspace) -> None:
    one, two = add(ws, "one"), add(ws, "two")
    tag(ws, one, "mood@production")
    export(ws, "@production")
    tag(ws, two, "topic@production")
    (found,) = outdated_exports(ws)
    assert dict(found.changes) == {"topic@production": (None, two)} and found.prompts == ("@production",)
    export(ws, *found.prompts)
    assert outdated_exports(ws) == ()
    tag(ws, one, "mood@staging")  # another tag of the same prompt
    assert outdated_exports(ws) == ()


CHAT = (Message("system", "Be {{brief}}."), Message("user", "It's {text}"))


@pytest.mark.whole
@pytest.mark.parametrize("format", ["dotprompt", "langchain", "prompty"])
@pytest.mark.parametrize("messages", [None, CHAT], ids=["text", "chat"])
def test_the_library_of_a_format_makes_the_text_that_fedprompt_sends(
    ws: Workspace, format: str, messages: tuple[Message, ...] | None
) -> None:
    prompt = add(ws, "mood", "Say it's {text}\nMood:", messages=messages)
    found = try_export(ws, [prompt], format, {"text": "a 'fine' day \N{SUN WITH FACE}"})
    assert found.same is True and "day" in found.output and found.seconds > 0
    assert not list(ws.home.path.glob("preview-*"))


def test_a_format_whose_library_is_not_here_is_not_tried(ws: Workspace) -> None:
    with pytest.raises(ExportError, check=coded("package-missing")):
        try_export(ws, [add(ws, "mood")], "vllm", {"text": "x"})
