"""Hooks around a swap: what they are, who answers them, and how they are called."""
