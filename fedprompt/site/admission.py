"""What a site looks at before it answers a task: whether it takes it now, and whether it was asked the same before."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.models.sources import Source, is_listed
from fedprompt.prompts.ids import canonical_json
from fedprompt.site.folder import SiteFolder
from fedprompt.site.ledger import Ledger
from fedprompt.study.score import SplitName
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.propose import ProposeTask

__all__ = ["contents_of", "looks_at", "not_now", "question_of"]

NotNow = Literal["unknown-study", "paused", "not-supported", "not-allowed", "budget-spent"]


def not_now(
    task: Task,
    digest: str,
    folder: SiteFolder,
    ledger: Ledger,
    now: datetime | None = None,
    model: Source | None = None,
) -> NotNow | None:
    """Return the code for a task that this site does not take now, or None.

    Args:
        digest: the study that the operator accepted.
        model: where its model comes from; None where the operator of the site named the model.
        now: the time; the machine's if left out. A clock that goes back gives no budget back.
    """
    if task.study != digest:
        return "unknown-study"
    policy, now = folder.policy, now or datetime.now(UTC)
    if folder.pause.exists() or policy.quiet_at(now.astimezone()):
        return "paused"
    if isinstance(task, ProposeTask):
        return "not-supported"
    if task.verb not in policy.verbs or (model is not None and not is_listed(model, policy.models)):
        return "not-allowed"
    today = now.date().isoformat()
    answered = (e for e in ledger.entries() if e.time[:10] >= today and e.decision != "call")
    if sum(1 for _ in answered) >= policy.tasks_a_day:
        return "budget-spent"
    return None


def question_of(parcel: Parcel[Task], contents: str, version: str) -> str:
    """Return the digest of what is asked: the task but for the known head, its arrays, and the site's cases."""
    asked = parcel.message.model_dump(mode="json", exclude={"known"})
    if parcel.message.verb == "describe":
        asked["answered by"] = version  # an upgrade is a new answer
    found = hashlib.sha256(canonical_json([asked, sorted(parcel.arrays), contents]))
    for name in sorted(parcel.arrays):
        array = parcel.arrays[name]
        found.update(canonical_json(list(array.shape)) + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def contents_of(key: bytes, splits: Splits) -> str:
    """Return an HMAC of the cases and where each is, so that other cases are another question."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for split in ("tune", "validation", "test"):
        mac.update(split.encode())
        for case in splits.cases(split):
            mac.update(canonical_json([dict(case.fields), case.answer, case.group]))
    return mac.hexdigest()


def looks_at(split: SplitName, study: str, ledger: Ledger) -> int:
    """Count how often test was looked at, this time included; 0 for other splits."""
    if split != "test":
        return 0
    earlier = sum(
        entry.study == study and entry.decision == "sent" and int(entry.message.get("looks", 0)) > 0
        for entry in ledger.entries()
    )
    return earlier + 1
