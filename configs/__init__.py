"""What we choose to ask and to tolerate: YAML only."""
