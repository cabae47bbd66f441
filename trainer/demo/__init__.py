"""The tiny Qwen3-VL and the shapes data set."""
