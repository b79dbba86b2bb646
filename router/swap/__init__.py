"""The swap: what to change is planned by a pure function, changed in the safe order, and undone where it fails."""
