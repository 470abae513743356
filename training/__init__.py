"""From labelled audio to a checkpoint: prepare, fit, evaluate. Never imported by the streamer."""
