"""What one variant answers, run as the playground runs it."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.playground.trials import TrialCell, TrialRequest, read_trial, run_trial
from fedprompt.workspace.workspace import Workspace

__all__ = ["answered"]


def answered(ws: Workspace, variant: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> list[TrialCell]:
    """Return a variant's cells in the order of the rows."""
    folder, run = owner_folder(ws.home, ""), uuid.uuid4().hex
    request = TrialRequest.parse({"variants": [variant], "rows": rows})
    folder.add(run, request.model_dump(mode="json"))
    run_trial(ws, folder, run)
    cells = read_trial(folder, run).cells
    return [cells[0, place] for place in range(len(rows))]
