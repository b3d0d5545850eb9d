"""When a forward pass is dearer after the repair than before."""

import pytest
from memory import is_dearer

SPARSE, DENSE, NONE = ({"peak_mb": 600, "built": 1, "form": form} for form in ("sparse", "dense", "none"))
CRASH = {"crash": "AttributeError"}

PAIRS = {
    "the_same": (SPARSE, SPARSE, False),
    "within_noise": (SPARSE, {**SPARSE, "peak_mb": 605}, False),
    "more_memory": (SPARSE, {**SPARSE, "peak_mb": 700}, True),
    "sparse_became_dense": (SPARSE, DENSE, True),
    "dense_became_sparse": (DENSE, SPARSE, False),
    "crashed_before": (CRASH, SPARSE, False),
    "crashes_now": (SPARSE, CRASH, True),
    "was_not_causal": (NONE, {**SPARSE, "peak_mb": 900}, False),
}


@pytest.mark.parametrize(("before", "after", "dearer"), PAIRS.values(), ids=PAIRS)
def test_dearer(before, after, dearer):
    assert is_dearer(before, after) is dearer
