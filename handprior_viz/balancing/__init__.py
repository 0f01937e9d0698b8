"""What the balance panel is made of: its table and controls, edits of a mix, what it covers, and writing it."""
