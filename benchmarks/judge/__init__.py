"""The independent judge: its own reader, points and derivatives; nothing of it passes through the engine."""
