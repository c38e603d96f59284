"""What the protocol tests, the end-to-end tests and the demo share. Standard library only."""
