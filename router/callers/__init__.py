"""How each kind of agent names the conversation, the person and the inputs, and how it proves itself."""
