"""What a site's operator allows a day is counted by the ledger, whatever the machine's clock does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from fedprompt.site.admission import not_now
from fedprompt.site.folder import SiteFolder
from fedprompt.site.policy import Policy, write_policy
from fedprompt.verbs.describe import DescribeTask

STUDY = "s1:" + "b" * 32
TASK = DescribeTask(task="t1:" + "a" * 32, study=STUDY)


def test_a_clock_that_goes_back_gives_no_budget_back(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path / "site")
    folder.prepare()
    write_policy(folder.policy_file, Policy(tasks_a_day=2))
    ledger, now = folder.ledger, datetime.now(UTC)
    for _ in range(2):
        ledger.append(decision="sent", study=STUDY, message={}, arrays={}, data=b"x")
    assert not_now(TASK, STUDY, folder, ledger, now) == "budget-spent"
    assert not_now(TASK, STUDY, folder, ledger, now - timedelta(days=3)) == "budget-spent"
    assert not_now(TASK, STUDY, folder, ledger, now + timedelta(days=2)) is None
