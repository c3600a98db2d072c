"""Adapters beside a bank: a damaged file or row is told, and a backup mends it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fedprompt.bank.adapter_files import AdapterFiles
from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from tests.bank.conftest import MODEL
from tests.coded import coded
from tests.new_bank import new_bank

ARRAYS = {"layers.0.mix" + A: np.ones((2, 3), np.float32), "layers.0.mix" + B: np.ones((4, 2), np.float32)}
TUNED = Prompt(Template("plain", text="{text}:"), Adapter(ARRAYS, MODEL, 8.0, ("mix",)))


def file_of(folder: Path) -> Path:
    assert TUNED.adapter is not None
    return folder / "adapters" / f"{TUNED.adapter.digest.removeprefix('sha256:')}.safetensors"


@pytest.mark.parametrize("way", ["restore", "merge"])
def test_a_backup_mends_a_damaged_file(tmp_path: Path, way: str) -> None:
    with new_bank(tmp_path / "home" / "bank.db") as bank:
        id = bank.record_prompt(TUNED, study=None, origin="federated")
        (tmp_path / "backup").mkdir()
        bank.backup(tmp_path / "backup" / "bank.db")
        file = file_of(tmp_path / "home")
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
        with pytest.raises(BankError, check=coded("damaged")):
            bank.prompt(id)
        getattr(bank, way)(tmp_path / "backup" / "bank.db")
        assert bank.prompt(id) == TUNED and bank.verify() == ()


def test_a_bank_that_lacks_a_file_is_replaced_by_a_backup(tmp_path: Path) -> None:
    with new_bank(tmp_path / "home" / "bank.db") as bank:
        bank.backup(tmp_path / "backup.db")
        id = bank.record_prompt(TUNED, study=None, origin="federated")
        file_of(tmp_path / "home").unlink()
        kept = bank.restore(tmp_path / "backup.db")
        assert bank.prompts() == () and kept.is_file()
        with Bank.open(kept) as before:
            assert [row.id for row in before.prompts()] == [id]


@pytest.mark.parametrize("body", ["[]", "3", "null", '{"adapter": []}', '{"adapter": {"file": "../../etc"}}'])
def test_a_row_that_is_no_prompt_is_told(bank: Bank, tamper: Callable[[str], None], body: str) -> None:
    id = bank.record_prompt(TUNED, study=None, origin="federated")
    tamper(f"UPDATE prompts SET body = '{body}'")
    assert any(problem.where == f"prompt {id}" for problem in bank.verify())
    with pytest.raises(BankError, check=coded("damaged")):
        bank.prompt(id)


@pytest.mark.parametrize(
    "digest",
    ["", "sha256:", "sha256:../bank", f"sha256:{'a' * 64}\n", f"sha256:{'A' * 64}", f"/sha256:{'a' * 64}", "a" * 64],
)
def test_a_digest_is_no_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BankError, check=coded("damaged")):
        AdapterFiles(tmp_path).read(digest)
