"""Records as the model will read them, token by token, for people to look at."""
