"""Makes the pack of a finished federation out of the hub's bank: what is shared, what it weighs, what it scored.

The common prompt, those of groups of at least three donors, the study's templates, and where the study asks for it
the prompts that donors tuned alone, and the mean of their heads. Invariant: a donor's own prompt is in it only while
that donor takes part, and nothing that a single site scored is in it where the study keeps that from the other sites.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedprompt.adapting.given_weights import HEAD, given_weights
from fedprompt.adapting.settings import DEFAULT_SETTINGS
from fedprompt.bank.rows import RunRow, StudyRow
from fedprompt.exports.card import public_model_name
from fedprompt.prompts.adapted import MOST_MEMBERS
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.exchange.pack_schema import LEAST_IN_A_GROUP, Member, MemberKind, Pack, PackHead
from fedprompt.workspace.results.donated_scores import differences, donated_scores
from fedprompt.workspace.results.worth import CurvePoint, WorthResult
from fedprompt.workspace.rounds.gathering_heads import LEAST_HEADS, mean_head
from fedprompt.workspace.workspace import Workspace

__all__ = ["MadePack", "make_pack"]

BySite = dict[str, Score]
FIRST = "first"  # the template that all are compared with
MOST_BYTES = 48 * 1024 * 1024  # of vectors; a site takes a release of 64 MB


@dataclass(frozen=True)
class MadePack:
    """A pack, the ids of its members, the sites that gave to it, and sentences on what is not as it could be."""

    pack: Pack
    donors: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ids(self) -> list[str]:
        """The members' ids."""
        return [member.prompt for member in self.pack.members]


@dataclass(frozen=True)
class _Shared:
    """A prompt to share, the sites it stands for, and what each of some sites scored with it on validation."""

    prompt: str
    kind: MemberKind
    sites: tuple[str, ...]
    scores: BySite


def make_pack(ws: Workspace, run: RunRow, study: StudyRow, left: Collection[str]) -> MadePack | None:
    """Return the pack of a finished federation; None where it tuned no soft prompt that another home could ask.

    Args:
        ws: the hub's workspace.
        run: the federation.
        study: its study.
        left: the sites that take part no more.

    Raises:
        BankError: the bank cannot be read.
    """
    result: Mapping[str, Any] = run.result or {}
    named = result.get("prompts") or {}
    if study.study.soft is None or "federated" not in named or study.study.soft.demonstrations is not None:
        return None
    described: Mapping[str, Mapping[str, Any]] = ws.bank.stages(run.id).get("sites", {})
    donors = tuple(sorted(site for site in described if site not in left))
    scores = _validation(ws, run.id)
    candidates = [Prompt(template) for template in study.study.candidates()]
    base = scores.get(candidates[0].id, {})
    # One that shows a site's own demonstrations cannot be asked elsewhere.
    templates = [prompt for prompt in candidates if prompt.template.demonstrations is None]
    notes: list[str] = []
    soft = [
        _common(ws, run, named["federated"], donors, [site for site in described if site in left], scores, notes),
        *_groups(ws, run, result, left),
        *(_alone(ws, run, named, donors) if study.study.rounds.released else ()),
    ]
    distinct = list({one.prompt: one for one in reversed(soft)}.values())[::-1]
    vectors = ws.bank.prompt(distinct[0].prompt).soft
    most = min(MOST_MEMBERS - 1, MOST_BYTES // vectors.vectors.nbytes) if vectors is not None else MOST_MEMBERS - 1
    if len(distinct) > most:
        notes.append(f"the pack has room for only {most} of the {len(distinct)} tuned prompts")
        distinct = distinct[:most]
    means = {one.id: _mean(scores.get(one.id, {}), donors) for one in templates}
    kept = sorted(templates, key=lambda one: -means[one.id])[: MOST_MEMBERS - len(distinct)]
    shown = [one for one in templates if one in kept]
    shared = [_Shared(one.id, "template", donors, scores.get(one.id, {})) for one in shown] + distinct
    head = _head(ws, run, study, donors, notes)
    weights = given_weights([means[one.id] for one in shown], len(distinct)) * (1 - HEAD if head else 1)
    apart = study.study.privacy.scores == "sites"
    members = _members(shared, base, donors, weights.tolist(), apart=apart)
    measured = result.get("worth")
    worth = None if measured is None else from_json(WorthResult, measured)
    pack = Pack(
        study=study.study.study,
        digest=study.digest,
        model=study.model_digest,
        model_name=public_model_name(study.study.model),
        fields=study.study.fields,
        labels=study.study.answer.labels,
        normalise=study.study.answer.normalise,
        prior=study.study.answer.prior,
        members=tuple(members),
        settings=DEFAULT_SETTINGS if worth is None or worth.settings is None else worth.settings,
        shares=_shares(study.study.answer.labels, [described[site] for site in donors]),
        curve=() if worth is None else _curve(worth.curve, apart=apart),
        donors=len(donors),
        head=head,
    )
    return MadePack(pack, donors, tuple(notes))


def _head(ws: Workspace, run: RunRow, study: StudyRow, donors: Sequence[str], notes: list[str]) -> PackHead | None:
    """Return the mean of the donors' heads; None where too few gave one, so that it would be nearly one donor's."""
    if study.study.head is None:
        return None
    found = mean_head(ws.bank, run.id, study.study, donors, LEAST_HEADS)
    if found is None:
        notes.append(f"fewer than {LEAST_HEADS} donors sent a head, so the pack has none")
        return None
    return PackHead(head=found[0].body(), weight=HEAD, sites=found[1])


def _validation(ws: Workspace, run: str) -> dict[str, BySite]:
    """Return prompt -> site -> its last score on validation in a run."""
    found: dict[str, BySite] = {}
    for row in ws.bank.scores(run=run, split="validation"):
        if row.score.n:
            found.setdefault(row.score.prompt, {})[row.site] = row.score
    return found


def _common(
    ws: Workspace,
    run: RunRow,
    federated: str,
    donors: Sequence[str],
    gone: Sequence[str],
    scores: Mapping[str, BySite],
    notes: list[str],
) -> _Shared:
    """Return the prompt of all together: told again without a site that left, where its updates were kept."""
    known = {row.id: row for row in ws.bank.runs(kind="recomputed")}
    again = [known[name] for site in gone if (name := f"{run.id}/without/{site}") in known]
    if len(gone) == 1 and again and again[0].result is not None:
        return _Shared(str(again[0].result["prompt"]), "federated", tuple(donors), {})
    if gone:
        notes.append(
            f"the common prompt still contains updates from {', '.join(gone)}. If updates were kept, "
            "'fedprompt hub remove SITE --recompute' recomputes the rounds without that site. A new run also "
            "leaves them out"
        )
    return _Shared(federated, "federated", tuple(donors), scores.get(federated, {}))


def _groups(ws: Workspace, run: RunRow, result: Mapping[str, Any], left: Collection[str]) -> list[_Shared]:
    """Return the groups' prompts, of groups that still have enough donors."""
    found = []
    for group in (result.get("groups") or {}).get("groups", ()):
        sites = tuple(site for site in group["sites"] if site not in left)
        if len(sites) >= LEAST_IN_A_GROUP:
            scores = _validation(ws, f"{run.id}/group/{group['group']}")
            found.append(_Shared(group["prompt"], "group", sites, scores.get(group["prompt"], {})))
    return found


def _alone(ws: Workspace, run: RunRow, named: Mapping[str, Any], donors: Sequence[str]) -> list[_Shared]:
    """Return the prompts that donors tuned alone, which their study lets out and their operators agreed to."""
    tuned: Mapping[str, str] = named.get("alone") or {}
    found = []
    for site in donors:
        if site in tuned:
            scores = _validation(ws, f"{run.id}/alone/{site}").get(tuned[site], {})
            found.append(_Shared(tuned[site], "donor", (site,), scores))
    return sorted(found, key=lambda one: one.prompt)  # in the order of their sites' names they would tell whose each is


def _mean(scores: BySite, donors: Sequence[str]) -> float:
    values = [scores[site].total / scores[site].n for site in donors if site in scores]
    return sum(values) / len(values) if values else 0.0


def _members(
    shared: Sequence[_Shared], base: BySite, donors: Sequence[str], weights: Sequence[float], *, apart: bool
) -> list[Member]:
    """Return what a pack says of its prompts; of a single site's score nothing, unless ``apart`` allows it."""
    sites = [site for site in donors if site in base]
    names = [str(place) for place in range(len(shared))]
    scores = [
        {FIRST: base[site], **{n: one.scores[site] for n, one in zip(names, shared, strict=True) if site in one.scores}}
        for site in sites
    ]
    known = donated_scores(scores, names, FIRST)
    found = []
    for place, (one, weight) in enumerate(zip(shared, weights, strict=True)):
        told = Member(prompt=one.prompt, kind=one.kind, weight=weight, sites=len(one.sites))
        scored = [of for of in scores if names[place] in of]
        if len(scored) > 1:
            # From a variance over two sites each would know what the other scored, to the last case.
            between = float(known.between[place]) if apart or len(scored) >= LEAST_IN_A_GROUP else None
            told = told.model_copy(
                update={"mean": float(known.mean[place]), "between": between, "within": float(known.within[place])}
            )
        elif scored and apart:
            told = told.model_copy(update={"mean": float(differences(scored[0], [names[place]], FIRST)[0])})
        found.append(told)
    return found


def _shares(labels: Sequence[str], described: Sequence[Mapping[str, Any]]) -> tuple[float, ...] | None:
    """Return how frequent each label is at the donors, on average over them; None where they are too few to hide in."""
    counts = [[float(one["labels"].get(label, 0)) for label in labels] for one in described]
    known = [[count / sum(row) for count in row] for row in counts if sum(row)]
    if len(known) < LEAST_IN_A_GROUP:
        return None
    means = [sum(column) / len(known) for column in zip(*known, strict=True)]
    return tuple(mean / sum(means) for mean in means)


def _curve(points: Sequence[CurvePoint], *, apart: bool) -> tuple[CurvePoint, ...]:
    """Return the points; without what a single site scored, unless ``apart`` allows it."""
    if apart:
        return tuple(points)
    return tuple(point.model_copy(update={"worst": None}) for point in points if point.sites > 1)
