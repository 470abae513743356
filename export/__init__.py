"""From a checkpoint to the one file that the streamer needs: convert, verify, quantise."""
