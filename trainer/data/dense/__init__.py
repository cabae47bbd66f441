"""From marked pictures to questions about them."""
