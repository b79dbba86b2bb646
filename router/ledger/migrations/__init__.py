"""How the table came to be, step by step; each step is a file in ``versions`` and is never changed."""
