"""A model whose requirements are not met."""

import no_such_package  # noqa: F401
