"""One module per rule: what it finds, why that is wrong, and which mend answers it."""

from __future__ import annotations

from codemods.flex_passthrough.rules import (
    flex001_missing_passthrough,
    flex002_tensor_only_operation,
    flex003_causality_dropped,
    flex004_window_dropped,
    flex005_unguarded_import,
    flex006_live_capture,
    flex007_queries_lost,
    flex008_broadcast_lost,
)
from codemods.flex_passthrough.rules.rule import Rule

# In the order of their ids. An id never changes its meaning.
RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        flex001_missing_passthrough.RULE,
        flex002_tensor_only_operation.RULE,
        flex003_causality_dropped.RULE,
        flex004_window_dropped.RULE,
        flex005_unguarded_import.RULE,
        flex006_live_capture.RULE,
        flex007_queries_lost.RULE,
        flex008_broadcast_lost.RULE,
    )
}
