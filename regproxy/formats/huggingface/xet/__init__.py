"""Xet, which current clients upload by: files in chunks that are named by their bytes (``docs/formats/huggingface.md``)."""
