"""What the audit panel is made of: the table of datasets, their looks, and sequences that can be played."""
