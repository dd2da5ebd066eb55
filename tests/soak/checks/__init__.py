"""What must hold after every step; invariants.py lists it."""
