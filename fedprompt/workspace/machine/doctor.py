"""Says what this machine has and what it lacks: packages, cores, number formats, space, assets, the bank."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import fedprompt
from fedprompt.errors import FedPromptError
from fedprompt.models.matrix_product import matrix_product
from fedprompt.models.protocols import RunSettings
from fedprompt.models.registry import has_bfloat16, physical_cores, settings_for
from fedprompt.workspace.assets import AssetRow, list_assets
from fedprompt.workspace.home import find_home
from fedprompt.workspace.jobs.queue import LANES
from fedprompt.workspace.liveness import is_alive
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["BankFound", "ChatFound", "Examined", "HomeFound", "Processor", "ReachedProduct", "doctor"]

T = TypeVar("T")

NEEDED = (
    *("torch", "transformers", "safetensors", "gguf", "sentence-transformers", "streamlit", "langchain-core"),
    *("sqlalchemy", "alembic", "huey", "pydantic", "typer", "rich", "numpy", "scipy", "pyarrow", "altair"),
)
OPTIONAL = ("peft", "nvflare", "faiss-cpu", "langchain-openai")
LITTLE_DISK = 2 * 1024**3
LITTLE_MEMORY = 3 * 1024**3


@dataclass(frozen=True)
class Processor:
    """Cores, those that this process may use, and physical ones; ``load`` over the last minute, None where unknown."""

    cores: int | None
    allowed: int | None
    physical: int
    bfloat16: bool
    load: float | None


@dataclass(frozen=True)
class HomeFound:
    """The home, what is free on its disk, and which lanes have a job process."""

    path: str
    free_bytes: int
    job_processes: Mapping[str, bool]


@dataclass(frozen=True)
class ChatFound:
    """A chat model that is configured: its host, whether that is another machine, and whether cases may go there.

    Never a key or an address; ``host`` is None where none can be told.
    """

    name: str
    model: str
    host: str | None
    remote: bool | None
    allowed: bool


@dataclass(frozen=True)
class ReachedProduct:
    """The newest run that says which part of the machine's matrix product it reached, a share of 1."""

    kind: str
    run: str
    tokens_per_second: float
    part_of_product: float


@dataclass(frozen=True)
class BankFound:
    """The bank, how many prompts it has, a sentence for each damaged entry, and what runs reached."""

    path: str
    prompts: int
    problems: tuple[str, ...]
    reached: ReachedProduct | None


@dataclass(frozen=True)
class Examined:
    """What this machine has; ``missing`` has a sentence for each thing to do, none if all is ``ok``.

    ``packages``: name -> version, None where it is not installed. ``product``: dtype -> GFLOP a second of a matrix
    product, the bound of all work. What could not be looked at is None.
    """

    fedprompt: str
    python: str
    executable: str
    system: str
    packages: Mapping[str, str | None]
    processor: Processor
    settings: RunSettings | None
    product: Mapping[str, float] | None
    gpu: str | None
    memory_bytes: int | None
    home: HomeFound | None
    assets: tuple[AssetRow, ...] | None
    chat: tuple[ChatFound, ...] | None
    bank: BankFound | None
    missing: tuple[str, ...]
    ok: bool


def doctor(home: Path | None = None) -> Examined:
    """Look at this machine and at a home."""
    missing: list[str] = []
    versions = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    missing += [f"{name} is not installed; run 'pip install {name}'" for name in NEEDED if versions[name] is None]
    settings = _attempt(lambda: settings_for(find_home(home).path), missing)
    product = _attempt(lambda: _product(find_home(home).path), missing)
    gpu, memory = _attempt(_gpu, missing), _memory()
    if memory is not None and memory < LITTLE_MEMORY:
        missing.append("less than 3 GiB of memory; the default model needs about 2 GiB")
    place = _attempt(lambda: _home(home, missing), missing)
    assets = _attempt(lambda: _assets(home, missing), missing)
    chat = _attempt(lambda: _chat(home), missing)
    bank = _attempt(lambda: _bank(home, missing), missing)
    return Examined(
        fedprompt=fedprompt.__version__,
        python=platform.python_version(),
        executable=sys.executable,
        system=platform.platform(),
        packages=versions,
        processor=_processor(),
        settings=settings,
        product=product,
        gpu=gpu,
        memory_bytes=memory,
        home=place,
        assets=assets,
        chat=chat,
        bank=bank,
        missing=tuple(missing),
        ok=not missing,
    )


def _attempt(look: Callable[[], T], missing: list[str]) -> T | None:
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


def _processor() -> Processor:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Processor(
        cores=os.cpu_count(),
        allowed=allowed,
        physical=physical_cores(),
        bfloat16=has_bfloat16(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


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


def _home(home: Path | None, missing: list[str]) -> HomeFound:
    found = find_home(home)
    free = shutil.disk_usage(found.path).free
    if free < LITTLE_DISK:
        missing.append(f"only {free / 1024**3:.1f} GiB are free under {found.path}; free at least 2 GiB")
    if not os.access(found.path, os.W_OK):
        missing.append(f"{found.path} is not writable; choose another home with --home DIR")
    alive = {lane: is_alive(found, lane) for lane in LANES}
    return HomeFound(str(found.path), free, alive)


def _assets(home: Path | None, missing: list[str]) -> tuple[AssetRow, ...]:
    found = list_assets(find_home(home))
    if absent := [asset.name for asset in found if not asset.ready]:
        missing.append(f"missing assets: {', '.join(absent)}; get them with 'fedprompt assets pull'")
    return found


def _chat(home: Path | None) -> tuple[ChatFound, ...]:
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
        found.append(ChatFound(f"chat:{name}", settings.model, host, remote, may))
    return tuple(found)


def _bank(home: Path | None, missing: list[str]) -> BankFound:
    with open_workspace(home) as ws:
        problems = [f"{problem.where}: {problem.what}" for problem in ws.bank.verify()]
        missing.extend(f"the bank has a damaged entry: {problem}" for problem in problems)
        return BankFound(str(ws.home.bank), len(ws.bank.prompts()), tuple(problems), _reached(ws))


def _reached(ws: Workspace) -> ReachedProduct | None:
    """Return the newest run that says which part of the matrix product it reached, None where none does."""
    for run in ws.bank.runs():
        found = run.result or {}
        if found.get("part_of_product") is not None:
            return ReachedProduct(run.kind, found["run"], found["tokens_per_second"], found["part_of_product"])
    return None
