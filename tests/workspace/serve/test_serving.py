"""OpenAI's own clients use a tuned prompt unchanged, and get the answers that fedprompt gives."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fedprompt.models.protocols import Decoding
from fedprompt.workspace.answers.answering import local_prompt
from fedprompt.workspace.serve.serving import serving, token_of
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.workspace import served
from tests.workspace.served import ASK, BOTH, MOOD, TEXT, WRITTEN
from tests.workspace.tagged_prompt import record

pytestmark = pytest.mark.whole

pytest.importorskip("fastapi")

home, ws, token, urls, post = served.home, served.ws, served.token, served.urls, served.post


def _client(url: str, key: str) -> Any:
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=20)


def test_openais_client_gets_the_label_and_its_share(urls: dict[str, str], token: str, ws: Workspace) -> None:
    wanted = local_prompt(ws, MOOD).run({"text": TEXT})
    assert wanted.probabilities is not None
    with _client(urls[MOOD], token) as client:
        reply = client.chat.completions.create(model=MOOD, messages=ASK, logprobs=True, top_logprobs=2, temperature=0)
        assert next(one.id for one in client.models.list()) == MOOD
        assert client.models.retrieve(MOOD).owned_by == "fedprompt"
    (choice,) = reply.choices
    assert (choice.message.content, choice.finish_reason) == (wanted.text, "stop")
    top = {one.token: math.exp(one.logprob) for one in choice.logprobs.content[0].top_logprobs}
    assert top == pytest.approx(wanted.probabilities)
    assert reply.fedprompt["probabilities"] == pytest.approx(wanted.probabilities)
    assert reply.fedprompt["prompt"] == local_prompt(ws, MOOD).prompt.id
    # The label's word is one token.
    assert (reply.usage.completion_tokens, reply.usage.total_tokens) == (1, reply.usage.prompt_tokens + 1)


def test_openais_client_reads_the_stream(urls: dict[str, str], token: str, ws: Workspace) -> None:
    wanted = local_prompt(ws, MOOD).run({"text": TEXT})
    with _client(urls[MOOD], token) as client:
        options = {"include_usage": True}
        chunks = list(
            client.chat.completions.create(model=MOOD, messages=ASK, stream=True, logprobs=True, stream_options=options)
        )
    assert "".join(one.choices[0].delta.content or "" for one in chunks[:-1]) == wanted.text
    assert [one.choices[0].finish_reason for one in chunks[:-1]] == [None, "stop"]
    assert chunks[0].choices[0].logprobs.content[0].token == wanted.text
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 1


def test_openais_client_completes_text_under_the_requests_own_decoding(
    urls: dict[str, str], token: str, ws: Workspace
) -> None:
    local = local_prompt(ws, WRITTEN)
    own = local.run({"text": TEXT})
    drawn = local.run({"text": TEXT}, Decoding(max_tokens=3, stop=("\n\n",), temperature=1.5, seed=4))
    with _client(urls[WRITTEN], token) as client:
        plain = client.completions.create(model=WRITTEN, prompt=TEXT)
        other = client.completions.create(model=WRITTEN, prompt=TEXT, max_tokens=3, temperature=1.5, seed=4)
        stopped = client.completions.create(model=WRITTEN, prompt=TEXT, stop=[own.text[:3]])
        streamed = list(client.completions.create(model=WRITTEN, prompt=TEXT, stream=True))
        short = client.completions.create(model=WRITTEN, prompt=TEXT, max_tokens=1)
    assert plain.choices[0].text == own.text
    assert plain.usage.prompt_tokens == 5  # 'a', ' good', ' day', ' -', '>'
    assert other.choices[0].text == drawn.text
    assert stopped.choices[0].text == ""
    assert "".join(one.choices[0].text for one in streamed) == own.text
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 1)
    assert plain.fedprompt["probabilities"] is None


def test_langchains_openai_client_uses_the_prompt_unchanged(urls: dict[str, str], token: str, ws: Workspace) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    wanted = local_prompt(ws, MOOD).run({"text": TEXT})
    with _http() as http:
        chat = langchain_openai.ChatOpenAI(
            model=MOOD, base_url=urls[MOOD], api_key=token, max_retries=0, http_client=http, temperature=0
        )
        reply = chat.bind(logprobs=True, top_logprobs=2).invoke(TEXT)
        streamed = list(chat.stream(TEXT))
    assert reply.content == wanted.text
    assert reply.response_metadata["logprobs"]["content"][0]["token"] == wanted.text
    assert "".join(chunk.content for chunk in streamed) == wanted.text


def _http() -> Any:
    return pytest.importorskip("openai").DefaultHttpxClient(trust_env=False, timeout=20)


def test_legacy_likelihoods_are_of_the_label(post: Any, ws: Workspace) -> None:
    shares = local_prompt(ws, MOOD).run({"text": TEXT}).probabilities or {}
    (choice,) = post(path="/completions", prompt=TEXT, logprobs=2).json()["choices"]
    found = choice["logprobs"]
    assert {name: math.exp(log) for name, log in found["top_logprobs"][0].items()} == pytest.approx(dict(shares))
    assert found["tokens"] == [choice["text"]]
    assert found["token_logprobs"] == [found["top_logprobs"][0][choice["text"]]]


def test_several_fields_come_as_a_json_object(post: Any, ws: Workspace) -> None:
    fields = {"title": "Sunday", "text": TEXT}
    reply = post(BOTH, messages=[{"role": "user", "content": json.dumps(fields)}]).json()
    assert reply["choices"][0]["message"]["content"] == local_prompt(ws, BOTH).run(fields).text


def test_one_field_is_never_parsed(post: Any, ws: Workspace) -> None:
    text = '{"text": "a bad day", "x": "<fp-0>{soft}"}'
    found = post(messages=[{"role": "user", "content": [{"type": "text", "text": text}]}]).json()
    wanted = local_prompt(ws, MOOD).run({"text": text}).probabilities
    assert found["fedprompt"]["probabilities"] == pytest.approx(wanted)


def test_many_clients_at_once_get_each_their_own_answer(post: Any, ws: Workspace) -> None:
    texts = [f"a {word} day {number}" for number in range(12) for word in ("good", "bad")]
    local = local_prompt(ws, MOOD)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: post(messages=[{"role": "user", "content": text}]).json(), texts))
    wanted = [local.run({"text": text}).probabilities for text in texts]
    assert [one["fedprompt"]["probabilities"] for one in found] == [pytest.approx(one) for one in wanted]


@pytest.mark.model
def test_the_real_model_answers_openais_client_as_fedprompt_does(fresh_home: Path) -> None:
    with open_workspace(fresh_home) as ws:
        record(ws, MOOD, "Review: {text}\nSentiment:", model="smollm2-135m-instruct")
        wanted = local_prompt(ws, MOOD).run({"text": "A wonderful film, I loved it."})
        kept, ask = token_of(fresh_home), [{"role": "user", "content": "A wonderful film, I loved it."}]
        with serving(MOOD, kept, fresh_home, port=0) as served, _client(served.url, kept.text) as client:
            reply = client.chat.completions.create(model=MOOD, messages=ask, logprobs=True)
    assert wanted.probabilities is not None
    assert reply.choices[0].message.content == wanted.text == "positive"
    assert reply.fedprompt["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-6)
    assert math.exp(reply.choices[0].logprobs.content[0].logprob) == pytest.approx(wanted.probabilities["positive"])
