"""Trains Qwen3-VL models in processes of their own."""
