"""The codemod: makes a flex-attention ``BlockMask`` pass through model code unharmed."""
