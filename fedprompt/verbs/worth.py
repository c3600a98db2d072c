"""worth: a site plays a newcomer with few labelled cases, and says how many it answers right, alone and helped.

The cases are drawn from ``tune`` under the site's own key, several times, and what is fitted on them is judged on all
validation cases, which no draw holds. One whole number leaves for each way of answering: right answers, averaged over
the draws. Each is charged as an exact question of both splits, and each number of cases is answered once a study.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fedprompt.adapting.settings import AtN, Method
from fedprompt.boundary.checked import Bounds
from fedprompt.errors import PromptError, ReplyUntrue, SiteRefused
from fedprompt.prompts.head import Head
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Count, SplitName
from fedprompt.study.sharing import MOST_WAYS, absent
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.expected import expected
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, PromptId, Reply, Task
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["HOME", "MOST_MEMBERS", "Worth", "WorthReply", "WorthTask", "ask_worth"]

HOME: tuple[Method, ...] = ("template", "alone")  # ways that need nobody: the best template, or tuned at home
MOST_MEMBERS = 64
ROUNDING = 1e-6


class WorthTask(Task):
    """Answer validation as a newcomer with ``n`` labelled cases, in each of some ``ways``.

    ``templates`` of the study and ``soft`` prompts (arrays ``soft-N``) are what is shared, ``weights`` theirs in this
    order, and then that of a ``head``, where there is one (arrays ``head`` and ``directions``). The array ``start`` is
    what a prompt of one's own is tuned from, where one of the ways asks for it.
    """

    verb: Literal["worth"] = "worth"
    n: Annotated[int, Field(ge=0, le=10_000)]
    draws: Annotated[int, Field(ge=1, le=100)]
    templates: Annotated[tuple[PromptId, ...], Field(max_length=MOST_MEMBERS)]
    soft: Annotated[tuple[PromptId, ...], Field(max_length=MOST_MEMBERS)]
    weights: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1, max_length=MOST_MEMBERS + 1)
    ]
    ways: Annotated[tuple[AtN, ...], Field(min_length=1, max_length=MOST_WAYS + len(HOME))]
    head: Annotated[str | None, Field(pattern=r"^e1:[0-9a-f]{32}$", exclude_if=absent)] = None

    @model_validator(mode="after")
    def _fits(self) -> "WorthTask":
        shared = len(self.templates) + len(self.soft) + (self.head is not None)
        if len(self.weights) != shared or abs(sum(self.weights) - 1) > ROUNDING:
            raise ValueError("each prompt and the head need one weight, and the weights must add up to 1")
        if any(way.n != self.n for way in self.ways) or len(set(self.ways)) != len(self.ways):
            raise ValueError("the ways must differ, and all must be for the same number of cases")
        if not self.templates and any(way.method == "template" for way in self.ways):
            raise ValueError("there is no best template to ask for")
        return self


class WorthReply(Reply):
    """Of ``cases`` of validation so many are answered ``right`` in each way, averaged over ``draws`` draws."""

    verb: Literal["worth"] = "worth"
    n: Annotated[int, Field(ge=0, le=10_000)]
    draws: Annotated[int, Field(ge=1, le=100)]
    cases: Count
    right: Annotated[tuple[Count, ...], Field(min_length=1, max_length=MOST_WAYS + len(HOME))]


def ask_worth(
    hub: Asks,
    site: str,
    prompts: Sequence[Prompt],
    weights: Sequence[float],
    ways: Sequence[AtN],
    *,
    draws: int,
    start: NDArray[np.float32] | None = None,
    head: Head | None = None,
) -> WorthReply:
    """Ask a site to play a newcomer.

    Args:
        prompts: what is shared, templates first.
        weights: of each prompt, and then of the head.
        ways: for one number of cases.
        draws: how many times its cases are drawn.
        start: [tokens, width] float32, from where a prompt is tuned at home.
        head: what is shared beside the prompts.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    soft = {prompt.id: prompt.soft.vectors for prompt in prompts if prompt.soft is not None}
    fields = {
        "n": ways[0].n,
        "draws": draws,
        "templates": tuple(prompt.id for prompt in prompts if prompt.soft is None),
        "soft": tuple(soft),
        "weights": tuple(weights),
        "ways": tuple(ways),
    }
    arrays = {f"soft-{place}": vectors for place, vectors in enumerate(soft.values())}
    begins = start if start is not None and _tunes(ways) else None
    named = [draws, [p.id for p in prompts], list(weights), [way.model_dump(mode="json") for way in ways]]
    if head is not None:
        fields["head"] = head.id
        arrays |= {"head": head.weights, "directions": head.directions}
        named.append(head.id)
    if begins is not None:
        arrays["start"] = begins
        named.append(content_id("v1", begins.tobytes()))
    reply = hub.ask(site, WorthTask, fields, arrays, named=named).message
    assert isinstance(reply, WorthReply)
    return reply


def _tunes(ways: Sequence[AtN]) -> bool:
    """Whether one of the ways tunes a prompt from the study's start."""
    return any(way.method == "alone" or way.own for way in ways)


class Worth(Verb):
    """Right answers over all validation cases, averaged over draws, in whole numbers; each ``n`` once a study."""

    name = "worth"
    task = WorthTask
    reply = WorthReply
    task_bounds = Bounds(64 * 1024, values=1_000, nested=60, members=40, depth=6)

    def task_arrays(self, task: WorthTask) -> Allowed:
        """Return the soft prompts, and where tuning starts if a way tunes."""
        start: dict[str, type[np.generic]] = {"start": np.float32} if _tunes(task.ways) else {}
        head = {} if task.head is None else dict.fromkeys(("head", "directions"), np.float32)
        return {**start, **head, **{f"soft-{place}": np.float32 for place in range(len(task.soft))}}

    def exact(self, task: WorthTask) -> Sequence[tuple[SplitName, str]]:
        """Each way is one of validation, which is scored, and one of tune, which is learnt from."""
        # By what is asked, and not by the task's id, which is the hub's to choose.
        what = content_id("w1", canonical_json(task.model_dump(mode="json", exclude={"task", "known"})))
        names = [f"worth {what} {place}" for place in range(len(task.ways))]
        splits: tuple[SplitName, ...] = ("validation", "tune")
        return [(split, name) for split in splits for name in names]

    def answer(self, site: SiteSide, task: WorthTask, arrays: Arrays, question: str) -> Answer:
        """Draw, fit and score; an average over the draws that the study's seconds allow."""
        from fedprompt.verbs.newcomer import Pace, play

        if (code := _not_asked(site, task)) is not None:
            return refused(task, code)
        worth = site.study.worth
        assert worth is not None
        if any(prompt not in site.templates for prompt in task.templates):
            return refused(task, "unknown-prompt")
        vectors = [site.soft(arrays[f"soft-{place}"]) for place in range(len(task.soft))]
        start = site.soft(arrays["start"]) if "start" in arrays else None
        prompts = [site.templates[prompt] for prompt in task.templates]
        prompts += [Prompt(site.study.soft_template(), soft) for soft in vectors if soft is not None]
        tokens = 0 if site.study.soft is None else site.study.soft.tokens
        given = [*vectors, *([start] if "start" in arrays else [])]
        if any(soft is None or soft.tokens != tokens for soft in given) or [p.id for p in prompts] != [
            *task.templates,
            *task.soft,
        ]:
            return refused(task, "bad-soft-prompt")
        head = None if task.head is None else _head(site, task.head, arrays)
        if (head is None) != (task.head is None):
            return refused(task, "bad-soft-prompt")
        played = play(site, task.ways, prompts, task.weights, start, task.draws, Pace(worth.seconds), head)
        if played is None:
            return refused(task, "out-of-time", tells=True)
        cases = len(site.splits.validation)
        reply = WorthReply(task=task.task, n=task.n, draws=played.draws, cases=cases, right=played.right)
        return Answer(reply, beside=site.once(_name(task)))

    def failed(self, site: SiteSide, task: WorthTask) -> Beside:
        """What failed counts as answered."""
        return site.once(_name(task))

    def check(self, terms: Terms, asked: Parcel[WorthTask], given: Parcel[WorthReply]) -> None:
        """Refuse other ways, cases or draws than were asked for, and more right answers than cases."""
        task, reply = asked.message, given.message
        if reply.n != task.n or len(reply.right) != len(task.ways) or reply.draws > task.draws:
            raise ReplyUntrue(
                f"site '{terms.site}' measured something other than the hub asked", code="not-what-was-asked"
            )
        wanted = expected(terms, "validation")
        fault = None
        if max(reply.right) > reply.cases:
            fault = f"{max(reply.right)} of {reply.cases} cases are correct"
        elif wanted is not None and reply.cases != wanted.cases:
            fault = f"it covers {reply.cases} cases, but the site has {wanted.cases} validation cases and all count"
        elif wanted is not None and reply.cases < max(1, wanted.least):
            fault = f"it covers {reply.cases} cases, which is below the study's min_cases"
        if fault is not None:
            raise ReplyUntrue(f"site '{terms.site}' sent contradictory numbers: {fault}")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell from how many cases it learnt, and over how many it was judged."""
        ways, draws = message.get("right") or (), message.get("draws")
        drawn = "" if draws == 1 else f", averaged over {counted(draws)} draws"
        return (
            f"the number of correct answers on {counted(message.get('cases'))} validation cases after learning "
            f"from {counted(message.get('n'))} tuning cases, with {counted(len(ways))} methods{drawn}"
        )

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Ask it once, for the fewest cases, with what tuning made; a site that is too small or slow would say so."""
        worth = rehearsal.study.worth
        if worth is None or rehearsal.tuned is None:
            return False
        templates = [Prompt(one) for one in rehearsal.study.candidates()]
        shared = [*templates, Prompt(rehearsal.study.soft_template(), rehearsal.tuned)][-MOST_MEMBERS:]
        ways = [AtN(n=worth.n[0], method="template"), AtN(n=worth.n[0])]
        even = [1 / len(shared)] * len(shared)
        try:
            ask_worth(rehearsal.asks, rehearsal.site, shared, even, ways, draws=worth.draws)
        except SiteRefused as error:
            if error.code not in ("too-few-cases", "out-of-time"):  # with these the hub leaves it out, and goes on
                raise
        return True


def _not_asked(site: SiteSide, task: WorthTask) -> Code | None:
    """Return why the study does not let a hub ask this of the site, or why the site cannot answer; None otherwise."""
    worth = site.study.worth
    sharing = sum(way.method not in HOME for way in task.ways)
    if task.head is not None and site.study.head is None:
        return "not-allowed"
    if worth is None or task.n not in worth.n or task.draws != worth.draws or sharing > worth.ways:
        return "not-allowed"
    if site.words_only:  # a server takes words and gives no likelihood of each label
        return "not-supported"
    if site.short("validation") or len(site.splits.tune) < task.n:
        return "too-few-cases"
    return "round-answered" if site.has_answered(_name(task)) else None


def _head(site: SiteSide, id: str, arrays: Arrays) -> Head | None:
    """Return the head that came, None where it is not what it is called or cannot be read by the encoder here."""
    fields, labels = site.study.fields, site.study.answer.labels
    try:
        found = Head(fields, labels, ENCODER_DIGEST, arrays["head"], arrays["directions"])
    except PromptError:
        return None
    return found if found.id == id and found.directions.shape[1] == site.for_heads.encoder().width else None


def _name(task: WorthTask) -> str:
    return f"worth {task.n}"
