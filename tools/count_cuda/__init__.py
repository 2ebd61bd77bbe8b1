"""What networks execute and move on a GPU, counted from its machine code."""
