"""What NVFLARE runs at a site: a relay to the worker's process, and the last filter before the network.

Both are named by the site's own files, and a job can name no other class. The relay takes no arguments, since a job
could set them. The filter passes only bytes whose digest is the last entry of the site's ledger, and makes the
outgoing message anew from them, so that nothing else that a job process may have attached leaves.
"""

import hashlib
import os
from pathlib import Path

from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.executor import Executor
from nvflare.apis.filter import ContentBlockedException, Filter
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal
from nvflare.apis.utils.fl_context_utils import add_job_audit_event

from fedprompt.errors import EgressRefused, LedgerError
from fedprompt.federation.transports.flare.address import LEDGER, RECEIVED, WORKER_SOCKET
from fedprompt.federation.transports.flare.envelope import checked_reply
from fedprompt.federation.transports.flare.link import LinkDown, ask
from fedprompt.site.ledger import Ledger

__all__ = ["EgressFilter", "Relay"]

MAX_SECONDS = 24 * 3600.0


class Relay(Executor):  # type: ignore[misc]
    """Hands a task's bytes to the worker and its reply's bytes back."""

    def execute(self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal) -> Shareable:
        """Answer ``ask``, take a ``release``; any other task is unknown."""
        if task_name not in ("ask", "release"):
            return make_reply(ReturnCode.TASK_UNKNOWN)
        data = from_shareable(shareable).data.get("data")
        if not isinstance(data, bytes):
            return make_reply(ReturnCode.BAD_TASK_DATA)
        try:
            header, reply = ask(os.environ[WORKER_SOCKET], {"kind": task_name}, data, timeout=MAX_SECONDS)
        except LinkDown:
            return make_reply(ReturnCode.SERVICE_UNAVAILABLE)
        if "error" in header:  # what it is stays in the site's own log
            return make_reply(ReturnCode.EXECUTION_EXCEPTION)
        if task_name == "release":
            return make_reply(RECEIVED)
        body = {"data": reply, "head": header["head"], "trail": header["trail"]}
        return DXO(DataKind.APP_DEFINED, data=body).to_shareable()


class EgressFilter(Filter):  # type: ignore[misc]
    """Named by the site's ``privacy.json`` for every result of every job."""

    def process(self, shareable: Shareable, fl_ctx: FLContext) -> Shareable:
        """Return a new message with the gate's bytes, or block what is not the ledger's last entry."""
        code = shareable.get_return_code()
        if code != ReturnCode.OK:
            return make_reply(code)  # a code alone; whatever came with it stays
        try:
            found = checked_reply(from_shareable(shareable).data)
            last = Ledger(Path(os.environ[LEDGER])).last()
        except (EgressRefused, LedgerError) as error:
            raise self._blocked(fl_ctx, str(error)) from None
        if last is None or last.hash != found["head"] or last.sha256 != hashlib.sha256(found["data"]).hexdigest():
            raise self._blocked(fl_ctx, "the bytes are not those of the ledger's last entry")
        add_job_audit_event(fl_ctx, msg=f"passed entry {last.number} of the ledger, {len(found['data'])} bytes")
        return DXO(DataKind.APP_DEFINED, data=found).to_shareable()

    def _blocked(self, fl_ctx: FLContext, why: str) -> ContentBlockedException:
        add_job_audit_event(fl_ctx, msg=f"blocked: {why}")
        return ContentBlockedException("egress blocked")
