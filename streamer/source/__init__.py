"""Where audio comes from: bytes in, blocks of samples out."""
