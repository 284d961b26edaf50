"""What a batch looks like, as states that merge exactly; and statistics read from them."""
