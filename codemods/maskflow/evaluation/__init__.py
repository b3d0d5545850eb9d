"""What code does with a BlockMask: abstract values, and what statements and calls make of them."""
