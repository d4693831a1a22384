"""Training one network: frozen, fine-tuned or from scratch."""
