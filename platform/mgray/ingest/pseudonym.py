"""Keyed pseudonyms: equal in, equal out; without the key nothing leads back, not even by guessing.

The key is ``MGRAY_PSEUDONYM_KEY``, or else made once and kept as ``pseudonym.key`` in the table's
folder.
"""

import hmac
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mgray.files import whole

KEY_VARIABLE = "MGRAY_PSEUDONYM_KEY"
KEY_FILE = "pseudonym.key"


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """The ids of one dataset.

    Args:
        key: Secret.
        dataset: Name of the source; equal raw ids of two datasets get different pseudonyms.
    """

    key: bytes
    dataset: str

    def image(self, sop_instance_uid: str) -> str:
        """An image's id, with the dataset's name in front."""
        return f"{self.dataset}-{self._digest('image', sop_instance_uid)}"

    def patient(self, patient_id: str) -> str:
        """A patient's id."""
        return f"p-{self._digest('patient', patient_id)}"

    def exam(self, exam_id: str, patient_id: str | None = None) -> str:
        """An exam's id; that of a table may mean an exam only together with its patient's."""
        whose = "" if patient_id is None else f"\0{patient_id}"
        return f"e-{self._digest('exam', exam_id + whose)}"

    def finding(self, finding_id: str) -> str:
        """A finding's id."""
        return f"f-{self._digest('finding', finding_id)}"

    def file(self, path: str) -> str:
        """A file's id: what logs and warnings may say in place of its path."""
        return f"file-{self._digest('file', path)}"

    def shard(self, content: str) -> str:
        """A shard's name, from the files that belong into it."""
        return self._digest("shard", content)

    def labels(self, text: str) -> str:
        """Tell one set of labels from another; raw ids in it cannot be found by guessing."""
        return self._digest("labels", text)[:12]

    def check(self) -> str:
        """Tell one key from another without telling the key."""
        return self._digest("check", "")[:12]

    def _digest(self, kind: str, value: str) -> str:
        return _digest(self.key, f"{self.dataset}\0{kind}\0{value}")


def load_key(out: Path) -> bytes:
    """Find the key, or make one that only the owner can read.

    A key is whole or absent: half a key, left by a full disk or a death, would be a weak one.

    Args:
        out: Folder of the table; must exist.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return given.encode()
    path = out / KEY_FILE
    if not path.is_file() or not path.stat().st_size:
        with whole(path) as draft:
            draft.touch(0o600)
            draft.write_bytes(secrets.token_hex(32).encode())
    return path.read_bytes()


@lru_cache(maxsize=2**14)
def _digest(key: bytes, text: str) -> str:
    """Hash a text; remembered, since files of one patient and one exam come together."""
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()[:20]
