"""One hash for fields that are equal, however they were put together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def hash_json(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of some fields, in hexadecimal."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
