"""Says what this machine has and what it lacks: packages, cores, number formats, space, assets, the bank."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fedprompt
from fedprompt.errors import FedPromptError
from fedprompt.models.matrix_product import matrix_product
from fedprompt.models.registry import has_bfloat16, physical_cores, settings_for
from fedprompt.workspace.home import find_home
from fedprompt.workspace.jobs.queue import LANES
from fedprompt.workspace.liveness import is_alive
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["doctor"]

NEEDED = (
    *("torch", "transformers", "safetensors", "gguf", "sentence-transformers", "streamlit", "langchain-core"),
    *("sqlalchemy", "alembic", "huey", "pydantic", "typer", "rich", "numpy", "scipy", "pyarrow", "altair"),
)
OPTIONAL = ("peft", "nvflare", "faiss-cpu", "langchain-openai")
LITTLE_DISK = 2 * 1024**3
LITTLE_MEMORY = 3 * 1024**3


def doctor(home: Path | None = None) -> dict[str, Any]:
    """Return what is there as JSON; ``missing`` has a sentence for each thing to do, none if all is well."""
    missing: list[str] = []
    versions = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    missing += [f"{name} is not installed; run 'pip install {name}'" for name in NEEDED if versions[name] is None]
    report: dict[str, Any] = {
        "fedprompt": fedprompt.__version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "packages": versions,
        "processor": _processor(),
        "settings": _attempt(lambda: asdict(settings_for(find_home(home).path)), missing),
        "product": _attempt(lambda: _product(find_home(home).path), missing),
        "gpu": _attempt(_gpu, missing),
        "memory_bytes": _memory(),
    }
    if report["memory_bytes"] is not None and report["memory_bytes"] < LITTLE_MEMORY:
        missing.append("less than 3 GiB of memory; the default model needs about 2 GiB")
    report["home"] = _attempt(lambda: _home(home, missing), missing)
    report["assets"] = _attempt(lambda: _assets(home, missing), missing)
    report["chat"] = _attempt(lambda: _chat(home), missing)
    report["bank"] = _attempt(lambda: _bank(home, missing), missing)
    report["missing"] = missing
    report["ok"] = not missing
    return report


def _attempt(look: Callable[[], Any], missing: list[str]) -> Any:
    """Return what ``look`` finds, or None with the reason among what is missing."""
    try:
        return look()
    except FedPromptError as error:
        missing.append(str(error))
    except (ImportError, OSError, RuntimeError) as error:
        missing.append(f"{type(error).__name__}: {error}")
    return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": os.cpu_count(),
        "allowed": allowed,
        "physical": physical_cores(),
        "bfloat16": has_bfloat16(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _product(home: Path) -> dict[str, float]:
    """Return what a matrix product reaches in each dtype where models run, GFLOP a second: the bound of all work."""
    device = settings_for(home).device
    return {dtype: round(matrix_product(dtype, device), 1) for dtype in ("float32", "bfloat16")}


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _home(home: Path | None, missing: list[str]) -> dict[str, Any]:
    found = find_home(home)
    free = shutil.disk_usage(found.path).free
    if free < LITTLE_DISK:
        missing.append(f"only {free / 1024**3:.1f} GiB are free under {found.path}; make room for at least 2 GiB")
    if not os.access(found.path, os.W_OK):
        missing.append(f"{found.path} cannot be written; choose another home with --home DIR")
    alive = {lane: is_alive(found, lane) for lane in LANES}
    return {"path": str(found.path), "free_bytes": free, "job_processes": alive}


def _assets(home: Path | None, missing: list[str]) -> list[dict[str, Any]]:
    from fedprompt.workspace.assets import list_assets

    found = list_assets(find_home(home))
    if absent := [str(asset["name"]) for asset in found if not asset["ready"]]:
        missing.append(f"assets not there yet: {', '.join(absent)}; run 'fedprompt assets pull'")
    return found


def _chat(home: Path | None) -> list[dict[str, Any]]:
    """Return the configured chat models: names and hosts, never a key or an address."""
    from fedprompt.models.chat.config import Machine, read_machine

    machine = read_machine(find_home(home).path)

    def allowed(machine: Machine, name: str) -> bool:
        try:
            machine.permit(machine.chat[name])
        except FedPromptError:
            return False
        return True

    found = []
    for name, settings in sorted(machine.chat.items()):
        try:
            host, remote = settings.host, settings.remote
        except FedPromptError:
            host, remote = None, None
        may = host is not None and allowed(machine, name)
        found.append({"name": f"chat:{name}", "model": settings.model, "host": host, "remote": remote, "allowed": may})
    return found


def _bank(home: Path | None, missing: list[str]) -> dict[str, Any]:
    with open_workspace(home) as ws:
        problems = [f"{problem.where}: {problem.what}" for problem in ws.bank.verify()]
        missing.extend(f"the bank has a damaged entry: {problem}" for problem in problems)
        reached = _reached(ws)
        return {"path": str(ws.home.bank), "prompts": len(ws.bank.prompts()), "problems": problems, "reached": reached}


def _reached(ws: Workspace) -> dict[str, Any] | None:
    """Return the newest run that says which part of the matrix product it reached, None where none does."""
    for run in ws.bank.runs():
        found = run.result or {}
        if found.get("part_of_product") is not None:
            return {"kind": run.kind, **{name: found[name] for name in ("run", "tokens_per_second", "part_of_product")}}
    return None
