"""What clients send by habit is answered, what would change the answer is refused by its name, wrong types are told."""

from typing import Any

import pytest

from fedprompt.study.schema import Answer
from fedprompt.workspace.serve.requests import MOST_TOKENS, ChatRequest, CompletionRequest, Refused, decoding_of
from tests.workspace import served
from tests.workspace.served import ASK, MOOD, TEXT, WRITTEN

pytestmark = pytest.mark.whole
pytest.importorskip("fastapi")
home, ws, token, urls, post = served.home, served.ws, served.token, served.urls, served.post

# Every parameter of OpenAI's reference of chat completions that means nothing to a label, or nothing to any prompt.
IDLE: list[dict[str, Any]] = [
    {"max_tokens": 16384},
    {"max_tokens": 2**40},
    {"max_tokens": 0},
    {"max_tokens": -1},
    {"max_completion_tokens": 128_000},
    {"top_p": 0},
    {"top_p": 0.9},
    {"seed": -1},
    {"seed": 2**40},
    {"stop": ["\n"]},
    {"stop": "x" * 500},
    {"stop": [""]},
    {"stop": [str(number) for number in range(40)]},
    {"frequency_penalty": 0.5},
    {"presence_penalty": -2},
    {"user": "u" * 5000},
    {"metadata": {"run": "7"}},
    {"store": True},
    {"store": False},
    {"service_tier": "auto"},
    {"parallel_tool_calls": True},
    {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
    {"reasoning_effort": "high"},
    {"verbosity": "low"},
    {"safety_identifier": "abc"},
    {"prompt_cache_key": "abc"},
    {"prompt_cache_retention": "24h"},
    {"prediction": {"type": "content", "content": "x"}},
    {"audio": {"voice": "alloy", "format": "wav"}},
    {"a_parameter_of_the_future": {"of": ["any", "form"]}},
    {"top_k": 40},
    {"min_p": 0.1},
    {"repetition_penalty": 1.1},
]
NOTHING: list[dict[str, Any]] = [
    {"n": None, "stop": None, "tools": None, "tool_choice": None, "response_format": None, "max_tokens": None},
    {"temperature": 1e-7},
    {"temperature": 0.0},
    {"stop": []},
    {"tools": [], "functions": [], "tool_choice": "auto"},
    {"response_format": {"type": "text"}},
    {"modalities": ["text"]},
    {"logit_bias": {}},
    {"stream_options": None},
    {"stream_options": {"include_usage": True, "include_obfuscation": True, "more": 1}},
    {"top_logprobs": 5},
    {"logprobs": True, "top_logprobs": 500},
    {"messages": [{"role": "system", "content": ""}, *ASK]},
    {"messages": [{"role": "user", "content": TEXT, "name": "ada", "more": None}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": TEXT, "cache_control": {"type": "x"}}]}]},
]


@pytest.fixture(scope="module")
def plain(post: Any) -> Any:
    return post(messages=ASK).json()


@pytest.mark.parametrize("more", IDLE)
def test_a_parameter_without_effect_is_answered_and_named(post: Any, plain: Any, more: dict[str, Any]) -> None:
    reply = post(messages=ASK, **more)
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"] == plain["choices"]
    assert reply.json()["fedprompt"]["without_effect"] == sorted(more)


@pytest.mark.parametrize("more", NOTHING)
def test_a_value_that_does_nothing_is_answered(post: Any, plain: Any, more: dict[str, Any]) -> None:
    reply = post(**{"messages": ASK, **more})
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"] == plain["choices"][0]["message"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_tokens": "16384"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"top_p": "high"}, "top_p"),
        ({"seed": []}, "seed"),
        ({"temperature": "0"}, "temperature"),
        ({"n": "1"}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"user": 7}, "user"),
        ({"metadata": "x"}, "metadata"),
        ({"store": "no"}, "store"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": -1}, "top_logprobs"),
        ({"stream_options": True}, "stream_options"),
        ({"response_format": "text"}, "response_format"),
        ({"model": 1}, "model"),
        ({"temperature": 3}, "temperature"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
    ],
)
def test_a_wrong_type_and_what_no_prompt_does_are_told_by_the_parameters_name(
    post: Any, more: dict[str, Any], param: str
) -> None:
    reply = post(**{"messages": ASK, **more})
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert param in error["message"] or "temperature" in error["message"]


def test_completions_take_a_list_of_one_text_as_their_clients_send_it(post: Any) -> None:
    one = post(MOOD, "/completions", prompt=TEXT, max_tokens=16384, best_of=3).json()
    other = post(MOOD, "/completions", prompt=[TEXT]).json()
    assert one["choices"] == other["choices"]
    assert one["fedprompt"]["without_effect"] == ["best_of", "max_tokens"]
    for prompt in ([TEXT, TEXT], [1, 2], [[1]], [], None):
        refused = post(MOOD, "/completions", prompt=prompt)
        assert refused.status_code == 400 and refused.json()["error"]["param"] == "prompt"
        assert "one text" in refused.json()["error"]["message"]
    for more in ({"echo": True}, {"suffix": "x"}):
        assert post(MOOD, "/completions", prompt=TEXT, **more).json()["error"]["param"] == next(iter(more))


def test_a_byte_order_mark_before_the_body_is_passed_over(urls: dict[str, str], token: str) -> None:
    import httpx

    body = b'\xef\xbb\xbf{"model": "mood@production", "messages": [{"role": "user", "content": "a good day"}]}'
    reply = httpx.post(
        urls[MOOD] + "/chat/completions",
        content=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
        trust_env=False,
    )
    assert reply.status_code == 200


def test_text_is_written_with_large_limits_top_p_zero_and_any_seed(post: Any) -> None:
    for more in ({"max_tokens": 16384}, {"top_p": 0, "temperature": 1}, {"seed": -1}, {"stop": [""]}, {"best_of": 1}):
        path = "/completions"
        reply = post(WRITTEN, path, prompt=TEXT, **more)
        assert reply.status_code == 200, reply.text
        assert reply.json()["fedprompt"]["without_effect"] == [name for name in more if name == "best_of"]
    for more, param in (
        ({"max_tokens": 0}, "max_tokens"),
        ({"top_p": 1.5}, "top_p"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"best_of": 2}, "best_of"),
        ({"stop": ["x" * 81]}, "stop"),
    ):
        reply = post(WRITTEN, "/completions", prompt=TEXT, **more)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_what_is_written_goes_by_the_request() -> None:
    answer = Answer(type="generate", scorers=("exact",), max_tokens=8)
    asked = CompletionRequest(model="m", prompt="x", max_tokens=16384, top_p=0, seed=-1, stop=["", "a"])
    found = decoding_of(asked, answer)
    assert found is not None
    assert (found.max_tokens, found.seed, found.stop) == (MOST_TOKENS, 2**32 - 1, ("a",))
    assert 0 < found.top_p < 0.001
    asked_chat = ChatRequest.model_validate({"model": "m", "messages": ASK, "max_completion_tokens": 0})
    with pytest.raises(Refused) as refused:
        decoding_of(asked_chat, answer)
    assert refused.value.param == "max_completion_tokens"
