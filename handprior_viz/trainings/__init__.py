"""What the training panel is made of: its form, the table of runs, their curves, samples and devices."""
