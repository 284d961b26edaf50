"""Pretrained networks that turn texts and pictures into vectors, from packages, offline."""
