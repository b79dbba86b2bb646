raise ImportError("no licence either")
