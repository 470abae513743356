"""From the probabilities of windows to what is said: smoothing, states, whole tracks."""
