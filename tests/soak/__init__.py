"""The soak: Hypothesis drives the services and fake carriers through every kind of bad day."""
