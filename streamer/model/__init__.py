"""The model file and the ONNX Runtime session that runs it."""
