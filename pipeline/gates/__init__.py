"""What must pass before anything is planned."""
