"""``site report``: one page for a security officer, written from what is there and not from what is planned."""

import importlib.metadata
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import fedprompt
from fedprompt.site.budgets import Budget, budgets_of
from fedprompt.site.exact_questions import CaseSet, case_sets
from fedprompt.site.policy import Policy
from fedprompt.site.tally import Tally
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now
from fedprompt.workspace.site.permitted import ModelLoaded, model_loaded

__all__ = ["HubKnown", "LeftRow", "Network", "SiteReport", "StudyAnswered", "site_report"]

NOT_PROTECTED = (
    "Exact scores reveal information: after about as many exact questions as cases, an attacker can infer single "
    "cases. A study without a privacy budget adds no noise. The limits are min_cases, min_cell, the lifetime count and "
    "the entry of new cases in blocks.",
    "A soft prompt tuned without noise can carry traces of its tuning cases. Treat it as derived from them.",
    "The hub learns the number of cases per split and label, when this site is online, and its network address.",
    "Anyone who acts as this user or as root on this machine can read the home folder and the cases.",
    "The hub refuses revoked certificates by its own list of excluded sites, not by a revocation list.",
    "The hub sees the scores of single sites. Other sites see them if an accepted study has 'scores: sites'. A "
    "mean over two sites reveals the other site's score to each of them.",
    "The text of a published template cannot be recalled.",
)


@dataclass(frozen=True)
class HubKnown:
    """Whose hub it is and where, as the invitation says; ``authority`` is a fingerprint."""

    federation: str
    host: str
    port: int
    admin_port: int
    authority: str


@dataclass(frozen=True)
class Network:
    """What this site listens on, and what it dials."""

    listens: str
    dials: str


@dataclass(frozen=True)
class LeftRow:
    """Replies of one verb to one study that ended alike, and their ``bytes``."""

    decision: str
    verb: str
    study: str
    replies: int
    bytes: int


@dataclass(frozen=True)
class StudyAnswered:
    """An accepted study, when it was accepted, who sees its ``scores`` (``hub`` or ``sites``), which model it loads.

    ``agreed``: what was agreed to with it that cannot be undone, in sentences.
    """

    study: str
    digest: str
    accepted: str
    scores: str
    agreed: tuple[str, ...]
    loads: ModelLoaded = field(metadata=INLINE)


@dataclass(frozen=True)
class SiteReport:
    """The report; ``page`` holds the same as Markdown.

    ``first`` and ``last`` are times of the ledger's entries and ``head`` its last hash, None where it has no entry.
    ``questions`` are the sets of cases that answered exact ones, ``budgets`` those that answered with noise.
    ``packages``: name -> version.
    """

    site: str
    made: str
    fedprompt: str
    hub: HubKnown
    network: Network
    left: tuple[LeftRow, ...]
    first: str | None
    last: str | None
    head: str | None
    questions: tuple[CaseSet, ...]
    budgets: tuple[Budget, ...]
    studies: tuple[StudyAnswered, ...]
    policy: Policy
    packages: Mapping[str, str]
    not_protected: tuple[str, ...]
    page: str


def site_report(home: Home, *, site: str | None = None) -> SiteReport:
    """Return what left, to whom, under which policy, through which ports, by which packages, and what is not protected.

    Raises:
        FederationError: this home has no such site.
        LedgerError: the ledger's chain is broken.
    """
    chosen = enrolled(home, site)
    about = chosen.about
    entries = chosen.folder.ledger.entries()
    sets = case_sets(Tally(chosen.folder.ledger, chosen.folder.replies), chosen.folder.replies)
    kinds = Counter((e.decision, str(e.message.get("verb")), e.study) for e in entries)
    sizes: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        sizes[entry.decision, str(entry.message.get("verb")), entry.study] += entry.size
    found = SiteReport(
        site=chosen.name,
        made=now(),
        fedprompt=fedprompt.__version__,
        hub=HubKnown(**{k: about[k] for k in ("federation", "host", "port", "admin_port", "authority")}),
        network=Network(
            listens="one port of the loopback interface and one socket file, for its own processes",
            dials=f"{about['host']}, TCP port {about['port']}, mutual TLS under the federation's own authority",
        ),
        left=tuple(
            LeftRow(decision, verb, study, n, sizes[decision, verb, study])
            for (decision, verb, study), n in sorted(kinds.items())
        ),
        first=entries[0].time if entries else None,
        last=entries[-1].time if entries else None,
        head=entries[-1].hash if entries else None,
        questions=tuple(sets),
        budgets=budgets_of(chosen.folder),
        studies=tuple(
            StudyAnswered(
                study=a.study.study,
                digest=a.digest,
                accepted=a.accepted,
                scores=a.study.privacy.scores,
                agreed=a.agreed,
                loads=model_loaded(home, chosen.folder.policy, a),
            )
            for a in chosen.accepted()
        ),
        policy=chosen.folder.policy,
        packages=dict(_packages()),
        not_protected=NOT_PROTECTED,
        page="",
    )
    return replace(found, page=_page(found))


@cache
def _packages() -> Mapping[str, str]:
    """Return the packages that fedprompt needs here, and their versions, from the metadata of what is installed."""
    found: dict[str, str] = {}
    waiting = ["fedprompt", "nvflare"]
    while waiting:
        name = waiting.pop()
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        known = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
        if known in found:
            continue
        found[known] = package.version
        for line in package.requires or ():
            if "extra ==" not in line and (match := re.match(r"[\w.-]+", line)):
                waiting.append(match.group())
    return dict(sorted(found.items()))


def _page(found: SiteReport) -> str:
    left = [f"| {row.decision} | {row.verb} | {row.study} | {row.replies} | {row.bytes:,} |" for row in found.left] or [
        "| nothing | | | 0 | 0 |"
    ]
    seen = {"hub": "the hub alone", "sites": "the hub and the other sites"}
    studies = [
        f"- {s.study}, `{s.digest}`, accepted {s.accepted}. Its scores are visible to {seen[s.scores]}. Its "
        f"model is '{s.loads.model}', from {s.loads.model_from or 'an unknown source'}"
        + (f", digest `{s.loads.model_digest}`" if s.loads.model_digest else "")
        + "".join(f"; with it, the site agreed: {sentence}" for sentence in s.agreed)
        for s in found.studies
    ] or ["- none"]
    questions = [f"- {one.sentence}" for one in found.questions] or ["- none"]
    return "\n".join(
        [
            f"# What site '{found.site}' sends, and to whom",
            "",
            f"Made {found.made} by fedprompt {found.fedprompt}.",
            "",
            f"**To whom.** The hub of '{found.hub.federation}': {found.network.dials}. The authority's",
            f"fingerprint is `{found.hub.authority}`. Here it listens on {found.network.listens}.",
            "",
            "**What left**, from the ledger, whose chain of hashes was checked just now "
            f"(head `{found.head}`, first entry {found.first}, last {found.last}):",
            "",
            "| decision | verb | study | replies | bytes |",
            "|---|---|---|---|---|",
            *left,
            "",
            "`fedprompt site ledger --show N` prints exactly the bytes of entry N. A reply is one of a closed list of",
            "forms: numbers, bounded arrays, ids, words from a list. No text of a case has a place there. Numbers are",
            "exact sums, which can disclose single cases to anyone who may ask enough: see below.",
            "",
            "**Exact questions** that its cases have answered over their lifetime (a prompt's score, or two compared):",
            "",
            *questions,
            "",
            *_budget_lines(found.budgets),
            "**Accepted studies**, pinned by digest; a task of another one is refused:",
            "",
            *studies,
            "",
            f"**Policy.** `{json.dumps(found.policy.model_dump(mode='json'))}`",
            "",
            "**Not protected.**",
            "",
            *(f"- {sentence}" for sentence in found.not_protected),
            "",
            "**Packages.** " + ", ".join(f"{name} {version}" for name, version in found.packages.items()),
            "",
        ]
    )


def _budget_lines(spent: Sequence[Budget]) -> list[str]:
    """Return what was spent of budgets of privacy; nothing where there is none."""
    told = [f"- {one.sentence}" for one in spent]
    return ["**Privacy spent**, by sets of cases, over all studies and hubs:", "", *told, ""] if told else []
