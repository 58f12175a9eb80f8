"""Read models: each follows one log, keeps its position and can be thrown away and rebuilt."""
