"""What an agent is given of a tool: its name, when to use it, what to put into the call, and where to send it."""
