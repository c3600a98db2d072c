"""What an audit found, as it is kept and shown: figures with intervals, controls, one picture, one sentence.

It lies in the site's private folder, readable by its owner alone. It holds no text and no figure of a single case, and
no job, bank or release takes it along.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedprompt.auditing.verdict import WIDEST, Reason, Verdict
from fedprompt.errors import FedPromptError
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.cases.one_cut import OWN_SITE
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import read_json, write_json

__all__ = [
    "ATTACKS",
    "AttackRow",
    "AuditReport",
    "Bounded",
    "ControlRow",
    "Picture",
    "audit_reports",
    "keep_report",
    "own_audits",
    "report_path",
    "sentence_of",
]

ATTACKS: Mapping[str, str] = {
    "loss": "by how well the prompt answers each case",
    "lira": "against shadow prompts (LiRA)",
    "all-but-one": "with knowledge of all other cases",
    "words": "by the words nearest to its vectors",
    "canaries": "by made-up cases that were planted",
}


@dataclass(frozen=True)
class Bounded:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AttackRow:
    """One attack: its figure in ``unit``, what guessing gets, and whether it found something (``p`` corrected by Holm).

    ``caught``: the share of members found where at most one in twenty others is taken for a member; None where the
    attack does not rank cases.
    """

    attack: str
    unit: str
    got: Bounded
    guessing: float
    p: float
    p_adjusted: float
    found: bool
    caught: Bounded | None = None


@dataclass(frozen=True)
class ControlRow:
    """A prompt that leaks for sure: whether the audit ``found`` it, by which figure, and what it had to pass."""

    control: str
    unit: str
    got: float
    needed: float
    found: bool


@dataclass(frozen=True)
class Picture:
    """The strongest attack: its ROC curve, and how many members and others scored between each two ``edges``."""

    attack: str
    false: tuple[float, ...]
    true: tuple[float, ...]
    edges: tuple[float, ...]
    members: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True)
class AuditReport:
    """An audit of ``name`` (``kind``: soft, template, adapted or pack) over ``members`` cases and ``others``.

    ``quoted``: how many private cases share eight words in a row with its text, or are shown in it. ``epsilon``: what
    one run of this way of tuning rules out, with 95 % confidence. ``update``: the share of cases that is picked out of
    one step's update, and what guessing gets. ``shadows`` prompts were tuned for it.
    """

    audit: str
    prompt: str
    name: str
    kind: str
    study: str
    model: str
    members: int
    others: int
    verdict: Verdict
    reason: Reason
    sentence: str
    attacks: tuple[AttackRow, ...]
    controls: tuple[ControlRow, ...]
    quoted: int
    shadows: int
    seed: int
    seconds: float
    created: str
    picture: Picture | None = None
    epsilon: float | None = None
    epsilon_claimed: float | None = None
    update: Bounded | None = None
    update_guessing: float | None = None
    words: tuple[str, ...] = ()


def sentence_of(
    verdict: Verdict, reason: Reason, members: int, others: int, attacks: tuple[AttackRow, ...], quoted: int
) -> str:
    """Return the verdict in one sentence."""
    if quoted:
        what = "one of your cases" if quoted == 1 else f"{quoted} of your cases"
        return f"Found a leak: {what} can be read in it, word for word."
    worst = min((row for row in attacks if row.found), key=lambda row: row.p_adjusted, default=None)
    if verdict == "leak" and worst is None:
        return "Found a leak: one run of this way of tuning rules out the epsilon that the study promises."
    if worst is not None:
        if worst.unit == "AUC":
            figure = f"AUC {worst.got.value:.2f}, {worst.got.low:.2f} to {worst.got.high:.2f}; guessing gets 0.50"
            return f"Found a leak: the audit distinguishes members from other cases {ATTACKS[worst.attack]} ({figure})."
        return f"Found a leak: the audit recovers information about the cases {ATTACKS[worst.attack]}."
    if verdict == "none-seen":
        return f"Found no leak with {members} cases that were tuned on and {others} others."
    few = f"{members} cases that were tuned on and {others} others"
    if reason == "control-missed":
        return f"Cannot tell: with {few}, the audit did not find a leak that was put there to test it."
    return f"Cannot tell: {few} are too few to rule out an AUC above {WIDEST:.2f}."


def report_path(folder: SiteFolder, audit: str) -> Path:
    """Return where a report lies."""
    return folder.path / "audits" / f"{audit.replace(':', '-')}.json"


def keep_report(folder: SiteFolder, report: AuditReport) -> None:
    """Write a report, mode 0600."""
    write_json(report_path(folder, report.audit), as_json(report))


def own_audits(home: Home) -> tuple[AuditReport, ...]:
    """Return the reports of this home's own site, the newest first."""
    return audit_reports(SiteFolder(home.sites / OWN_SITE))


def audit_reports(folder: SiteFolder) -> tuple[AuditReport, ...]:
    """Return the reports of a site, the newest first; one that cannot be read is left out."""
    found = []
    for path in sorted((folder.path / "audits").glob("*.json")):
        try:
            body = read_json(path)
        except FedPromptError:
            continue
        if body is not None:
            found.append(from_json(AuditReport, body))
    return tuple(sorted(found, key=lambda one: one.created, reverse=True))
