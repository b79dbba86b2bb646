"""Figures of the router beside a floor, both measured in one run."""
