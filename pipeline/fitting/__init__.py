"""From transfer values to a fitted classifier and what it is worth: arrays in, a report out."""
