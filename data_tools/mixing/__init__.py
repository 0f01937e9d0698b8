"""The arithmetic of a mix: its settings, exact shares, leak-free dealing to splits, and the drawing of frames."""
