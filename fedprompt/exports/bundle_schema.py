"""What ``bank.json`` and its companions may hold: closed, versioned models, and the JSON Schema made of them.

The published schema is ``docs/bundle.schema.json``; ``python -m fedprompt.exports.bundle_schema`` prints it.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fedprompt.prompts.adapted import LARGEST_BIAS, MOST_MEMBERS
from fedprompt.prompts.head import HeadBody
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH
from fedprompt.prompts.tools import MOST_TOOLS
from fedprompt.study.schema import Closed
from fedprompt.study.sharing import absent

__all__ = [
    "MAX_PROMPTS",
    "SOFT_FILE",
    "VERSION",
    "BundleAdapted",
    "BundleFile",
    "BundlePrompt",
    "Hashes",
    "Signature",
    "bundle_schema",
]

VERSION = 3  # 3 where there is a head, 2 where there are adapted prompts or biases, else 1, which all versions read
MAX_PROMPTS = 10_000
MAX_ADAPTED = 1_000
SOFT_FILE = re.compile(r"soft/p1-[0-9a-f]{32}\.safetensors")

MOST_LABELS = 256
MOST_SITES = 10_000
Short = Annotated[str, StringConstraints(max_length=300)]
Long = Annotated[str, StringConstraints(max_length=100_000)]
Labels = Annotated[tuple[Short, ...], Field(max_length=MOST_LABELS)]
Words = Annotated[dict[Short, Long], Field(max_length=MOST_LABELS)]
AdaptedId = Annotated[str, Field(pattern=r"^a1:[0-9a-f]{32}$")]
Bias = Annotated[float, Field(ge=-LARGEST_BIAS, le=LARGEST_BIAS)]
PromptId = Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]


class BundleMessage(Closed):
    """A chat message."""

    role: Literal["system", "user", "assistant"]
    content: Long


class BundleDemonstrations(Closed):
    """How many demonstrations a template shows."""

    count: Annotated[int, Field(ge=1, le=64)]
    separator: Short


class BundleTemplate(Closed):
    """A template's canonical JSON."""

    text: Long | None
    messages: Annotated[tuple[BundleMessage, ...], Field(max_length=64)] | None
    words: Words | None
    demonstrations: BundleDemonstrations | None
    tools: Annotated[tuple[dict[str, Any], ...] | None, Field(max_length=MOST_TOOLS, exclude_if=absent)] = None


class BundleSoft(Closed):
    """A soft prompt's shape, the digest of its model, and the file with its vectors."""

    model: Short
    tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)]
    width: Annotated[int, Field(ge=1, le=MAX_WIDTH)]
    file: Annotated[str, Field(pattern="^" + SOFT_FILE.pattern + "$")]


class BundleStudy(Closed):
    """What the prompt was made for."""

    name: Short
    fields: Annotated[tuple[Short, ...], Field(max_length=64)]
    answer: Literal["choice", "generate"]
    labels: Labels


class BundleDecoding(Closed):
    """How free text is written."""

    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    stop: Annotated[tuple[Short, ...], Field(max_length=16)] = ()
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class BundleReading(Closed):
    """How its answers are read, and the score it gets that way."""

    words: Words
    how: Long
    metric: Short
    scores: Annotated[dict[Short, float], Field(max_length=MOST_SITES)]
    mean: float | None
    low: float | None
    high: float | None
    split: Short | None
    cases: dict[Short, Annotated[int, Field(ge=0, le=10**9)]] = Field(default_factory=dict, max_length=MOST_SITES)
    normalise: Literal["none", "tokens", "characters"] = "none"
    prior: Literal["none", "pmi", "contextual"] = "none"
    writing: BundleDecoding = BundleDecoding()
    bias: dict[Short, Bias] = Field(default_factory=dict, max_length=MOST_LABELS)


class BundlePrompt(Closed):
    """One prompt."""

    id: PromptId
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    template: BundleTemplate
    soft: BundleSoft | None
    study: BundleStudy | None
    reading: BundleReading


class BundleAdapted(Closed):
    """An adapted prompt: which prompts of the bundle it asks, how much each counts, and a bias for each label."""

    id: AdaptedId
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    members: Annotated[tuple[PromptId, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    weights: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=MOST_MEMBERS)]
    labels: Labels
    bias: Annotated[tuple[Bias, ...], Field(max_length=MOST_LABELS)]
    reading: BundleReading
    head: HeadBody | None = None
    part: Annotated[float, Field(ge=0, le=1)] = 0.0


class BundleFile(Closed):
    """``bank.json``."""

    format: Literal["fedprompt-bundle"]
    version: Literal[1, 2, 3]
    prompts: Annotated[tuple[BundlePrompt, ...], Field(min_length=1, max_length=MAX_PROMPTS)]
    adapted: Annotated[tuple[BundleAdapted, ...], Field(max_length=MAX_ADAPTED)] = ()


class Hashes(Closed):
    """``hashes.json``."""

    algorithm: Literal["sha256"]
    files: Annotated[dict[Short, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(max_length=20_000)]


class Signature(Closed):
    """``signature.json``: an Ed25519 signature of ``hashes.json``, and the public key it was made with."""

    algorithm: Literal["ed25519"]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def bundle_schema() -> str:
    """Return the JSON Schema (2020-12) of ``bank.json`` as text."""
    body = BundleFile.model_json_schema(mode="validation")
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "fedprompt bundle, bank.json", **body}
    return json.dumps(body | {"title": "fedprompt bundle, bank.json"}, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(bundle_schema(), end="")
