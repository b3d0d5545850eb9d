"""Values that odd configurations need and that no rule about names can guess.

Model type -> keyword arguments of its configuration class. Values only: no code per model.
"""

from __future__ import annotations

from typing import Any

HINTS: dict[str, dict[str, Any]] = {}
