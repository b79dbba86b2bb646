"""Why a call ends where it does, and where each value of that was written."""
