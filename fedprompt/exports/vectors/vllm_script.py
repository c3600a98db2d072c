"""The script that a vLLM export carries: it looks up the embeddings, puts the vectors in, and sends ``prompt_embeds``.

It needs torch, transformers and safetensors where it runs, and no fedprompt. vLLM returns a forced token's
log-likelihood under the whole vocabulary (``--logprobs-mode raw_logprobs``, its default), so label words are compared
exactly, a request a token.
"""

__all__ = ["SEND"]

SEND = '''"""Runs the soft prompt beside this file on a vLLM server, without a copy of its model.

    vllm serve MODEL --enable-prompt-embeds
    python send.py --model MODEL --field text="a fine film"

MODEL is the folder of the model named in README.md, with the digest given there. The server's key, if it has one, is
read from the environment variable VLLM_API_KEY.
"""

import argparse
import base64
import io
import json
import math
import os
import pathlib
import urllib.request

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent


class Prompt:
    """The prompt as embeddings: text before the slot, the vectors, text after it, each tokenised apart."""

    def __init__(self, model):
        self.about = json.loads((HERE / "prompt.json").read_text("utf-8"))
        self.soft = load_file(HERE / "soft_prompt.safetensors")["vectors"]
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        with torch.no_grad():
            self.embed = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).get_input_embeddings()
        if self.embed.weight.shape[1] != self.soft.shape[1]:
            raise SystemExit(f"this model's width is not {self.soft.shape[1]}; it is not the one in README.md")
        bos = self.tokenizer.bos_token_id
        self.opening = [i for i in self.tokenizer("", add_special_tokens=True).input_ids if i == bos]

    def ids(self, text):
        """Token ids of plain text; markers typed by a user stay text."""
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids if text else []

    def start(self, case):
        """[tokens, width] float32: everything up to the slot's end."""
        before = self.ids(self.about["before"].format(**case))
        rows = self.rows(self.opening + before)
        return torch.cat([rows, self.soft] if self.about["before"] else [self.soft, rows])

    def rows(self, ids):
        """[tokens, width] float32: the embeddings of token ids."""
        with torch.no_grad():
            return self.embed(torch.tensor(ids, dtype=torch.long)).reshape(len(ids), self.soft.shape[1])

    def ends(self, case):
        """(token ids that all answers share, label -> the ids that follow)."""
        after = self.about["after"].format(**case)
        ends = {label: self.ids(after + word) for label, word in self.about["words"].items()}
        plain = self.ids(after)
        whole = list(ends.values())
        same = lambda one: next((k for k, (a, b) in enumerate(zip(plain, one)) if a != b), min(len(plain), len(one)))
        common = min(min(map(same, whole)), min(map(len, whole)) - 1)
        return plain[:common], {label: end[common:] for label, end in ends.items()}


def ask(url, served, embeds, **more):
    """One request to /v1/completions; embeds is [tokens, width]."""
    held = io.BytesIO()
    torch.save(embeds.contiguous(), held)
    body = {"model": served, "prompt_embeds": base64.b64encode(held.getvalue()).decode(), "temperature": 0, **more}
    headers = {"Content-Type": "application/json"}
    if os.environ.get("VLLM_API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["VLLM_API_KEY"]
    request = urllib.request.Request(url.rstrip("/") + "/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["choices"][0]


def answer(prompt, url, served, case):
    """The probability of each label; for free text, what the model writes."""
    start = prompt.start(case)
    if not prompt.about["words"]:
        embeds = torch.cat([start, prompt.rows(prompt.ids(prompt.about["after"].format(**case)))])
        stop = prompt.about["stop"] or None
        return ask(url, served, embeds, max_tokens=prompt.about["max_tokens"], stop=stop)["text"]
    shared, paths = prompt.ends(case)
    sums = {}
    for label, path in paths.items():
        sums[label] = 0.0
        for k, token in enumerate(path):
            embeds = torch.cat([start, prompt.rows(shared + path[:k])])
            choice = ask(url, served, embeds, max_tokens=1, logprobs=1, allowed_token_ids=[token])
            sums[label] += choice["logprobs"]["token_logprobs"][0]
    top = max(sums.values())
    shares = {label: math.exp(value - top) for label, value in sums.items()}
    found = {label: own(label, shares, paths) for label in shares}
    return {label: value / sum(found.values()) for label, value in found.items()}


def own(label, shares, paths):
    """A label's share without the texts that go on to a label whose word its own word begins."""
    longer = [other for other in paths if other != label and paths[other][: len(paths[label])] == paths[label]]
    return max(0.0, shares[label] - sum(own(other, shares, paths) for other in longer))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the model's folder, as the server has it")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--served", help="the name the server gives the model; --model by default")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=TEXT")
    given = parser.parse_args()
    fields = dict(item.split("=", 1) for item in given.field)
    print(json.dumps(answer(Prompt(given.model), given.url, given.served or given.model, fields), ensure_ascii=False))
'''
