"""What the compare panel is made of: scores, samples, walks and energies of several runs."""
