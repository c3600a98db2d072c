"""Writes a kit's local policy over NVFLARE's defaults, by whoever owns the kit; nobody edits these files by hand.

What the defaults allow and this does not: jobs that ship code or name any class of a long list, a site's error log
streamed to the hub past every filter, shell commands, stores of jobs under a temporary folder that all users share.
"""

import json
from pathlib import Path
from typing import Any

from fedprompt.federation.transports.flare.address import HUB_CLASS, LAUNCHERS, SITE_CLASS, SITE_FILTER
from fedprompt.private_file import write_private

__all__ = ["restrict"]

HEARTBEAT_SECONDS = 70  # sites beat every 30 s; the default is 600


def restrict(kit: Path, kind: str, about: dict[str, str]) -> None:
    """Write ``local/*.json`` and ``fedprompt.json`` of a kit.

    Args:
        kind: ``server``, ``client`` or ``admin``.
        about: ``name`` and ``org`` of whom the kit is for.
    """
    for path in (kit, *kit.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    _write(kit / "fedprompt.json", about)
    if kind == "admin":
        return
    local = kit / "local"
    resources = json.loads((local / "resources.json.default").read_text(encoding="utf-8"))
    for component in resources["components"]:
        if component["id"] == "process_launcher":
            component["path"] = LAUNCHERS[kind]
    resources["class_allow_list"] = [SITE_CLASS] if kind == "client" else [HUB_CLASS]
    if kind == "client":
        resources["allow_log_streaming"] = False
        resources["components"] = [c for c in resources["components"] if c["id"] != "site_log_streamer"]
        scope = {
            "name": "site",
            "properties": {},
            "task_data_filters": [],
            "task_result_filters": [{"path": SITE_FILTER, "args": {}}],
        }
        _write(local / "privacy.json", {"scopes": [scope], "default_scope": "site"})
    else:
        resources["servers"][0]["heart_beat_timeout"] = HEARTBEAT_SECONDS
        resources["snapshot_persistor"]["args"]["storage"]["args"]["root_dir"] = str(kit / "snapshots")
        resources["components"] = [c for c in resources["components"] if c["id"] != "log_receiver"]
        for component in resources["components"]:
            if component["id"] == "job_manager":
                component["args"]["uri_root"] = str(kit / "jobs")
    _write(local / "resources.json", resources)
    authorization = json.loads((local / "authorization.json.default").read_text(encoding="utf-8"))
    hub = kind == "server"
    authorization["permissions"] = {
        "project_admin": "none",
        "org_admin": {"view": "any"},
        "member": {"view": "any"},
        "lead": {
            "submit_job": "any",
            "manage_job": "n:submitter",
            "download_job": "none",
            "view": "any",
            "byoc": "none",
            "operate": "any" if hub else "none",
            "shell_commands": "none",
            "server-predeployed-flwr": "none",
            "app_command": "none",
        },
    }
    _write(local / "authorization.json", authorization)


def _write(path: Path, value: Any) -> None:
    write_private(path, json.dumps(value, indent=1))
