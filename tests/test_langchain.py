"""LangChain runs a tuned prompt on the local model, soft slot and all, and gets fedprompt's answers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import PromptTemplate

from fedprompt.errors import BankError, ModelMismatch, PromptError
from fedprompt.langchain import LocalChatModel, PromptRunnable
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.workspace.answers.answering import local_prompt
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

WORDS = {"positive": " good", "negative": " bad"}
INFO = ScriptedModel().info


def _record(ws: Workspace, text: str, model: str = INFO.digest) -> str:
    study = Study(
        study="mood",
        model="scripted",
        fields=("text", "title"),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text="{text} =", words=WORDS),),
    )
    digest = study.digest(INFO.digest)
    ws.bank.record_study(study, digest, INFO.digest)
    soft = SoftPrompt(np.full((2, INFO.width), 0.5, np.float32), model) if "{soft}" in text else None
    return ws.bank.record_prompt(Prompt(Template("t", text=text, words=WORDS), soft), study=digest, origin="federated")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ws(home: Path) -> Iterator[Workspace]:
    with new_workspace(home) as opened:
        yield opened


@pytest.mark.parametrize("text", ["{text} =", "{text}{soft} ="])
def test_the_runnable_gives_fedprompts_answer_alone_in_a_batch_and_in_a_chain(
    ws: Workspace, home: Path, text: str
) -> None:
    id = _record(ws, text)
    wanted = local_prompt(ws, id).run({"text": "a good day"})
    runnable = PromptRunnable.from_bank(id, home)
    assert runnable.invoke({"text": "a good day"}) == wanted.text
    assert runnable.probabilities({"text": "a good day"}) == wanted.probabilities
    assert runnable.batch([{"text": "a good day"}] * 2) == [wanted.text] * 2
    chain = PromptTemplate.from_template("a {what} day") | (lambda value: {"text": value.to_string()}) | runnable
    assert chain.invoke({"what": "good"}) == wanted.text


def test_the_chat_model_fills_the_prompts_one_field_with_the_last_human_message(ws: Workspace, home: Path) -> None:
    id = _record(ws, "{text}{soft} =")
    chat = LocalChatModel.from_bank(id, home)
    reply = chat.invoke([SystemMessage("ignored"), HumanMessage("a bad day"), HumanMessage("a good day")])
    wanted = local_prompt(ws, id).run({"text": "a good day"})
    assert reply.content == wanted.text
    assert reply.response_metadata["probabilities"] == wanted.probabilities
    assert reply.response_metadata["prompt"] == id


def test_without_a_prompt_the_conversation_itself_goes_to_the_model(home: Path) -> None:
    chat = LocalChatModel.local("scripted", home, max_tokens=4)
    assert chat.invoke("Is this a good day?").content
    with pytest.raises(PromptError, match="ToolMessage", check=coded("message-role")):
        chat.invoke([ToolMessage("x", tool_call_id="1")])
    with pytest.raises(PromptError, check=coded("not-only-text")):
        chat.invoke([HumanMessage([{"type": "image_url", "image_url": {"url": "data:"}}])])


def test_what_cannot_be_run_is_said_in_a_sentence(ws: Workspace, home: Path) -> None:
    with pytest.raises(BankError, check=coded("no-such-prompt")):
        PromptRunnable.from_bank("p1:" + "0" * 32, home)
    with pytest.raises(PromptError, match="text, title", check=coded("several-fields")):
        LocalChatModel.from_bank(_record(ws, "{text} {title} ="), home)
    with pytest.raises(PromptError, match="'text'", check=coded("field-missing")):
        PromptRunnable.from_bank(_record(ws, "{text} ="), home).invoke({})
    with pytest.raises(ModelMismatch, check=coded("another-width", "another-revision")):
        PromptRunnable.from_bank(_record(ws, "{soft}{text} =", "sha256:" + "0" * 64), home)
    with pytest.raises(PromptError, check=coded("no-human-message")):
        LocalChatModel.from_bank(_record(ws, "{text} ="), home).invoke([SystemMessage("x")])
