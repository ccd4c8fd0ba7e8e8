"""NeMo-RL as a target."""
