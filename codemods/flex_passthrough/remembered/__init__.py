"""What is remembered: of files, of what they tell together, and of what mends make of them."""
