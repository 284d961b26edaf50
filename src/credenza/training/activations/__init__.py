"""What a model makes of its inputs, layer by layer or tree by tree, as plain matrices."""
