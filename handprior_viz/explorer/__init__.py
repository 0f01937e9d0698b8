"""What the latent explorer is made of: its state, its controls, and what it shows beside the hands."""
