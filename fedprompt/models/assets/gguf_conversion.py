"""Converts a GGUF file into a folder of float32 safetensors, a tokenizer and ``config.json``.

It runs as a process of its own (``python -m fedprompt.models.assets.gguf_conversion SRC DST``), so that whoever asks
for it needs no torch and gets the memory back. The folder is loaded again and must complete a known sentence,
for transformers can also keep such weights packed, which is slow and cannot be saved.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedprompt.errors import AssetError, FedPromptError
from fedprompt.models.assets.fetch import size_of, tail, watch
from fedprompt.stopping import NEVER, StopToken

__all__ = ["convert", "run_conversion"]

KNOWN_START, KNOWN_WORD = "The capital of France is", "Paris"
MARK = "conversion failed: "


def run_conversion(
    name: str,
    source: Path,
    destination: Path,
    size: int,
    told: Callable[[int, float | None], None],
    known: tuple[str, str] | None = (KNOWN_START, KNOWN_WORD),
    stop: StopToken = NEVER,
) -> None:
    """Convert in another process, with no network.

    Args:
        name: the asset's, for messages.
        source: the GGUF file.
        destination: a folder to be made; the process's log lies beside it until the conversion is done.
        size: about how many bytes are written.
        told: hears the bytes written so far and seconds left, which are None.
        known: the start of a sentence and a word that the model must complete it with; None where none is known.
        stop: looked at all the while; the process ends with it.

    Raises:
        AssetError: the conversion failed.
        OSError: the disk is full.
    """
    destination.mkdir(mode=0o700)
    log = destination.with_name(destination.name + ".log")
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fedprompt.models.assets.gguf_conversion",
                str(source),
                str(destination),
                *(known or ()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **offline, "PYTHONPATH": path, "TMPDIR": str(destination.parent)},
        )
        watch(process, destination, size, lambda done, left: told(done, None), stop)
    if process.returncode:
        text = tail(log)
        if "No space left on device" in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise AssetError(
            f"the model '{name}' could not be converted ({_reason(process.returncode, text)}); run the command again, "
            "with the file fetched anew where it may be damaged",
            code="asset-not-converted",
        )
    log.unlink()
    if size_of(destination) == 0:
        raise AssetError(f"the conversion of '{name}' wrote nothing; run the command again", code="asset-not-converted")


def convert(source: Path, destination: Path, known: tuple[str, str] | None) -> None:
    """Write a GGUF file's model, de-quantised to float32, and its tokenizer into a folder.

    Raises:
        AssetError: a package is missing, weights stay packed, what was written is another model, or it talks nonsense.
        Exception: whatever transformers raises for a file that is no model.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise AssetError(
            f"the package '{error.name}' is missing, run 'pip install torch transformers gguf'", code="package-missing"
        ) from error
    folder, file = str(source.parent), source.name
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    except ImportError as error:
        raise AssetError("a package is missing, run 'pip install gguf'", code="package-missing") from error
    packed = [name for name, weights in model.named_parameters() if not weights.dtype.is_floating_point]
    if packed:
        raise AssetError(
            f"{len(packed)} weights stayed packed, such as '{packed[0]}'; this version of transformers does not fit",
            code="asset-not-converted",
        )
    # The weights are plain numbers by now, but transformers holds them for quantised and would not save them.
    model.hf_quantizer = None
    model.is_quantized = False
    for name in ("quantization_config", "_model_name_or_path"):
        if hasattr(model.config, name):
            delattr(model.config, name)
    text = KNOWN_START if known is None else known[0]
    start = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        before = model(**start).logits
    model.save_pretrained(str(destination))
    tokenizer.init_kwargs.pop("local_files_only", None)  # true of this process, not of the tokenizer
    tokenizer.save_pretrained(str(destination))
    del model, tokenizer
    saved: Any = AutoModelForCausalLM.from_pretrained(str(destination), dtype=torch.float32)
    words: Any = AutoTokenizer.from_pretrained(str(destination))
    start = words(text, return_tensors="pt")
    with torch.inference_mode():
        after = saved(**start).logits
        if before.shape != after.shape or not torch.allclose(before, after, atol=1e-3):
            raise AssetError(
                "the written model differs from the model that was read; this version of transformers does not fit",
                code="asset-not-converted",
            )
        if known is None:
            return
        said = words.decode(saved.generate(**start, max_new_tokens=8, do_sample=False)[0])
    if known[1] not in said:
        raise AssetError(
            f"the converted model completes '{known[0]}' without '{known[1]}'; it is damaged",
            code="asset-not-converted",
        )


def main(arguments: list[str]) -> int:
    """Convert ``SRC DST [START WORD]``; return the exit status."""
    if len(arguments) not in (2, 4):
        print("usage: python -m fedprompt.models.assets.gguf_conversion SRC DST [START WORD]", file=sys.stderr)
        return 2
    try:
        known = (arguments[2], arguments[3]) if len(arguments) == 4 else None
        convert(Path(arguments[0]), Path(arguments[1]), known)
    except FedPromptError as error:
        print(f"{MARK}{error}", file=sys.stderr)
        return 1
    except Exception as error:  # whatever the libraries raise, the parent reads one line
        what = " ".join(str(error).split())[:300]
        print(f"{MARK}{type(error).__name__}: {what}", file=sys.stderr)
        return 1
    return 0


def _reason(status: int, text: str) -> str:
    if status < 0:
        return f"its process was ended by signal {-status}, as happens when memory runs out; it needs about 3 GB"
    lines = [line for line in text.splitlines() if line.startswith(MARK)]
    return lines[-1].removeprefix(MARK) if lines else f"its process ended with status {status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
